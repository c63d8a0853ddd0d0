#include "report/page.h"

#include <openssl/evp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <utility>

#include "common/clock.h"
#include "common/embedded.h"
#include "common/file.h"
#include "common/parallel.h"
#include "image/encode.h"
#include "preprocess/preprocess.h"

namespace xray {

/// The page's template, built from web/report (cmake/EmbedWeb.cmake).
std::span<const EmbeddedFile> report_files();

namespace {

using Json = nlohmann::ordered_json;

/// Where the page's template takes its data; the word between is valid JSON, too.
constexpr std::string_view kSlotBegin = "<script id=\"data\" type=\"application/json\">";
constexpr std::string_view kSlotEnd = "null</script>";

const char* name(Weight weight) {
  switch (weight) {
    case Weight::kFine:
      return "fine";
    case Weight::kNotable:
      return "notable";
    case Weight::kSerious:
      return "serious";
  }
  return "";
}

}  // namespace

Json to_json(const Notice& notice) {
  return {{"weight", name(notice.weight)}, {"text", notice.text}};
}

Json PictureNames::operator()(std::size_t sample) {
  named_.insert(sample);
  const Sample& named = dataset_->samples.at(sample);
  Json json = {{"id", sample},
               {"file", relative_name(*dataset_, named)},
               {"label", name(named.label)},
               {"group", named.group},
               {"patient", named.patient}};
  if (const auto side = given_side(*dataset_, named)) json["split"] = name(*side);
  return json;
}

Json unreadable_pictures(const Dataset& dataset, const Unreadable& unreadable, std::size_t most) {
  Json list = Json::array();
  for (std::size_t i = 0; i < std::min(most, unreadable.size()); ++i) {
    const auto& [sample, error] = unreadable[i];
    list.push_back({{"file", relative_name(dataset, dataset.samples[sample])},
                    {"code", name(error.code)},
                    {"message", error.message}});
  }
  return {{"pictures", unreadable.size()}, {"list", std::move(list)}};
}

Json by_sample(const PictureUris& pictures) {
  Json json = Json::object();
  for (const auto& [sample, uri] : pictures) json[std::to_string(sample)] = uri;
  return json;
}

std::string data_uri(std::string_view media_type, std::span<const std::byte> bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // EVP_EncodeBlock ends its text with a 0
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),         // NOLINT
                                     reinterpret_cast<const unsigned char*>(bytes.data()),  // NOLINT
                                     static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return "data:" + std::string(media_type) + ";base64," + text;
}

Result<std::string> thumbnail(const Image& image, int side) {
  const double scale = std::min(1.0, static_cast<double>(side) / std::max(image.width(), image.height()));
  const auto length = [&](int pixels) { return std::max(1, static_cast<int>(std::lround(pixels * scale))); };
  const auto jpeg = encode_jpeg(to_image(resize(image, length(image.width()), length(image.height()))), 80);
  if (!jpeg) return jpeg.error();
  return data_uri("image/jpeg", *jpeg);
}

PictureUris thumbnails(const Dataset& dataset, const std::set<std::size_t>& samples,
                       const DecodeLimits& limits, int threads, const std::stop_token& stop) {
  const std::vector<std::size_t> wanted(samples.begin(), samples.end());
  PictureUris pictures;
  parallel_ordered(
      wanted.size(), threads, 4 * thread_count(threads),
      [&](std::size_t i) -> std::optional<std::string> {
        const auto image =
            read_image(dataset.samples[wanted[i]].path, limits, {2 * kThumbnailSide, 2 * kThumbnailSide});
        if (!image) return std::nullopt;
        auto uri = thumbnail(*image);
        if (!uri) return std::nullopt;
        return std::move(*uri);
      },
      [&](std::size_t i, std::optional<std::string> uri) {
        if (uri) pictures.emplace(wanted[i], std::move(*uri));
      },
      stop);
  return pictures;
}

Json begin_page(std::string_view kind, const Dataset& dataset) {
  return {{"kind", kind},
          {"folder", dataset.root.string()},
          {"created", rfc3339(std::chrono::system_clock::now())}};
}

Result<std::string> render_page(const Json& data) {
  if (report_files().empty())
    return Error{ErrorCode::kUnsupported, "this program was built without its page for reports"};
  const std::string_view page = report_files().front().text();
  const auto begin = page.find(kSlotBegin);
  if (begin == std::string_view::npos || page.substr(begin + kSlotBegin.size()).find(kSlotEnd) != 0)
    throw std::logic_error("the page for reports has no place for its data");

  std::string html(page.substr(0, begin + kSlotBegin.size()));
  // Inside a script element only "<" can end the element or begin a comment; in JSON
  // it stands inside strings alone, where it may be written by its number.
  for (const char c : data.dump(-1, ' ', false, Json::error_handler_t::replace)) {
    if (c == '<')
      html += "\\u003c";
    else
      html += c;
  }
  html += page.substr(begin + kSlotBegin.size() + std::string_view("null").size());
  return html;
}

Result<Done> write_page(const std::filesystem::path& path, const Json& data) {
  const auto html = render_page(data);
  if (!html) return html.error();
  return write_file(path, *html);
}

}  // namespace xray
