#include "store/finding_codec.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace xray {

using nlohmann::json;

std::string encode_finding(const Finding& finding) {
  json heat = json::array();
  for (const float value : finding.heat.values)
    heat.push_back(std::round(static_cast<double>(value) * 1e4) / 1e4);
  return json{
      {"verdict", name(finding.verdict)},
      {"normal", finding.normal},
      {"pneumonia", finding.pneumonia},
      {"bacterial", finding.bacterial},
      {"viral", finding.viral},
      {"model", finding.model},
      {"picture", {{"width", finding.width}, {"height", finding.height}}},
      {"timing",
       {{"decode", finding.timing.decode},
        {"preprocess", finding.timing.preprocess},
        {"infer", finding.timing.infer},
        {"total", finding.timing.total}}},
      {"heat", {{"width", finding.heat.width}, {"height", finding.heat.height}, {"values", std::move(heat)}}},
  }
      .dump();
}

Result<Finding> decode_finding(std::string_view text) {
  const Error damaged{ErrorCode::kStorage, "a stored finding is damaged"};
  try {
    const json in = json::parse(text);
    Finding out;
    const auto verdict = in.at("verdict").get<std::string>();
    if (verdict != name(Verdict::kNormal) && verdict != name(Verdict::kPneumonia)) return damaged;
    out.verdict = verdict == name(Verdict::kNormal) ? Verdict::kNormal : Verdict::kPneumonia;
    in.at("normal").get_to(out.normal);
    in.at("pneumonia").get_to(out.pneumonia);
    in.at("bacterial").get_to(out.bacterial);
    in.at("viral").get_to(out.viral);
    in.at("model").get_to(out.model);
    in.at("picture").at("width").get_to(out.width);
    in.at("picture").at("height").get_to(out.height);
    const json& timing = in.at("timing");
    timing.at("decode").get_to(out.timing.decode);
    timing.at("preprocess").get_to(out.timing.preprocess);
    timing.at("infer").get_to(out.timing.infer);
    timing.at("total").get_to(out.timing.total);
    const json& heat = in.at("heat");
    heat.at("width").get_to(out.heat.width);
    heat.at("height").get_to(out.heat.height);
    heat.at("values").get_to(out.heat.values);
    const std::int64_t cells = std::int64_t{out.heat.width} * out.heat.height;
    if (cells != static_cast<std::int64_t>(out.heat.values.size())) return damaged;
    return out;
  } catch (const json::exception&) {
    return damaged;
  }
}

}  // namespace xray
