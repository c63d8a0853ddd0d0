#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"
#include "dataset/dataset.h"
#include "image/decode.h"

namespace xray {

/// The text that leads one through a page: what was found, and how much it matters.
enum class Weight { kFine, kNotable, kSerious };

/// One sentence about the data, for the terminal and the page alike.
struct Notice {
  Weight weight = Weight::kFine;
  std::string text;
};

/// {"weight": "fine" | "notable" | "serious", "text"}.
nlohmann::ordered_json to_json(const Notice& notice);

/// Names the pictures of a data set in a report's JSON, and remembers which, so that
/// the page can show them.
class PictureNames {
 public:
  explicit PictureNames(const Dataset& dataset) : dataset_(&dataset) {}

  /// {"id", "file" (below the data set's folder), "label", "group", "patient", "split" if
  /// the folders give one}.
  nlohmann::ordered_json operator()(std::size_t sample);

  const std::set<std::size_t>& named() const { return named_; }

 private:
  const Dataset* dataset_;
  std::set<std::size_t> named_;
};

/// Samples that could not be read, and why.
using Unreadable = std::vector<std::pair<std::size_t, Error>>;

/// {"pictures", "list": [{"file", "code", "message"}]}, the list with at most `most` of them.
nlohmann::ordered_json unreadable_pictures(const Dataset& dataset, const Unreadable& unreadable,
                                           std::size_t most);

/// Pictures for a page, by the number of the sample: data URIs.
using PictureUris = std::map<std::size_t, std::string>;

/// As a page takes them: {"12": "data:..."}.
nlohmann::ordered_json by_sample(const PictureUris& pictures);

/// Longer side of the pictures on a page, in pixels.
constexpr int kThumbnailSide = 224;

/// "data:`media_type`;base64,...".
std::string data_uri(std::string_view media_type, std::span<const std::byte> bytes);

/// The picture as a gray JPEG whose longer side is at most `side`, as a data URI.
Result<std::string> thumbnail(const Image& image, int side = kThumbnailSide);

/// Thumbnails of the samples, on `threads` threads; those that cannot be read are left
/// out. Stops early, with what there is, where `stop` was requested.
PictureUris thumbnails(const Dataset& dataset, const std::set<std::size_t>& samples,
                       const DecodeLimits& limits, int threads, const std::stop_token& stop = {});

/// The beginning of a page's data: what kind it is ("exploration", "evaluation"), of
/// which folder, made when.
nlohmann::ordered_json begin_page(std::string_view kind, const Dataset& dataset);

/// The self-contained page over `data`, whose texts may hold anything: no markup and
/// no script of theirs comes to life. What is not UTF-8 is replaced. kUnsupported
/// where the program was built without the page.
Result<std::string> render_page(const nlohmann::ordered_json& data);

/// render_page() into a file, atomically. kUnsupported, kIo.
Result<Done> write_page(const std::filesystem::path& path, const nlohmann::ordered_json& data);

}  // namespace xray
