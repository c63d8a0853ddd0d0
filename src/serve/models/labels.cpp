#include "serve/models/labels.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/text.h"

namespace xray {
namespace {

constexpr std::size_t kMaxModels = 256;
constexpr std::size_t kMaxLabels = 16;
constexpr std::size_t kMaxLabelLength = 32;

bool is_label(std::string_view text) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return !text.empty() && text.size() <= kMaxLabelLength && is_letter(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_'; });
}

/// Takes the events of the parser and stops it at the first thing that does not belong: nothing is
/// kept of what is not wanted, however deep it lies.
class LabelsReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Labels labels;
  std::optional<std::string> problem;

  bool start_object(std::size_t /*elements*/) override {
    if (depth_ == 2) return refuse("the version of " + where() + " is not a text");
    ++depth_;
    return true;
  }

  bool key(string_t& key) override {
    if (depth_ == 1) {
      if (key.empty()) return refuse("a model's name is empty");
      if (labels.size() == kMaxModels) return refuse("more than " + std::to_string(kMaxModels) + " models");
      const auto [model, is_new] = labels.try_emplace(key);
      if (!is_new) return refuse("the model '" + key + "' is given twice");
      model_ = model;
      return true;
    }
    label_ = key;
    if (!is_label(key))
      return refuse("'" + key.substr(0, 2 * kMaxLabelLength) +
                    "' is no label: a lower-case letter, then up to 31 letters, digits, '-' and '_'");
    if (model_->second.contains(key)) return refuse(where() + " is given twice");
    if (model_->second.size() == kMaxLabels)
      return refuse("'" + model_->first + "' has more than " + std::to_string(kMaxLabels) + " labels");
    return true;
  }

  bool end_object() override {
    --depth_;
    return true;
  }

  bool string(string_t& value) override {
    if (depth_ != 2) return wrong_value();
    if (value.empty()) return refuse("the version of " + where() + " is empty");
    model_->second.emplace(label_, value);
    return true;
  }

  bool null() override { return wrong_value(); }
  bool boolean(bool) override { return wrong_value(); }
  bool number_integer(number_integer_t) override { return wrong_value(); }
  bool number_unsigned(number_unsigned_t) override { return wrong_value(); }
  bool number_float(number_float_t, const string_t&) override { return wrong_value(); }
  bool binary(binary_t&) override { return wrong_value(); }
  bool start_array(std::size_t) override { return wrong_value(); }
  bool end_array() override { return wrong_value(); }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return refuse("is not JSON (at byte " + std::to_string(position) + ")");
  }

 private:
  std::string where() const { return "'" + model_->first + "', '" + label_ + "',"; }

  bool wrong_value() {
    if (depth_ == 2) return refuse("the version of " + where() + " is not a text");
    if (depth_ == 1) return refuse("what stands under '" + model_->first + "' is not an object of labels");
    return refuse("is not an object of models");
  }

  bool refuse(std::string what) {
    if (!problem) problem = printable(std::move(what));
    return false;
  }

  int depth_ = 0;
  Labels::iterator model_;
  std::string label_;
};

}  // namespace

Result<Labels> parse_labels(std::string_view text) {
  if (text.size() > kMaxLabelBytes)
    return Error{ErrorCode::kInvalidArgument, "is larger than " + std::to_string(kMaxLabelBytes) + " bytes"};
  LabelsReader reader;
  nlohmann::json::sax_parse(text, &reader);
  if (reader.problem) return Error{ErrorCode::kInvalidArgument, *reader.problem};
  return std::move(reader.labels);
}

}  // namespace xray
