#include "import/source.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <span>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <vector>

#include "common/file.h"
#include "common/text.h"
#include "model/onnx_facts.h"

namespace xray {
namespace {

namespace fs = std::filesystem;

/// A SavedModel has half a dozen files, more with assets.
constexpr std::size_t kMaxFiles = 1'000;

bool begins_with(std::span<const std::byte> bytes, std::size_t from, std::string_view what) {
  if (bytes.size() < from + what.size()) return false;
  const auto part = bytes.subspan(from, what.size());
  return std::ranges::equal(part, std::as_bytes(std::span(what)));
}

/// The bytes of a regular file that is no link, within what is left of `budget`.
Result<Bytes> read_part(const fs::path& file, std::uint64_t& budget) {
  std::error_code failure;
  const fs::file_status status = fs::symlink_status(file, failure);
  if (!fs::exists(status)) return Error{ErrorCode::kNotFound, "no such file"};
  if (!fs::is_regular_file(status))
    return Error{ErrorCode::kUnsupported, "is no regular file (links are not followed)"};
  auto bytes = read_file(file, budget);
  if (bytes) budget -= bytes->size();
  return bytes;
}

/// Hashes `files` below `folder`, in their order.
Result<std::string> hash_of(const fs::path& folder, const std::vector<fs::path>& files) {
  std::uint64_t budget = kMaxSourceBytes;
  std::string list;
  for (const fs::path& file : files) {
    const auto bytes = read_part(folder / file, budget);
    if (!bytes) return with_context(bytes.error(), (folder / file).string());
    list += sha256_hex(*bytes) + "  " + file.generic_string() + "\n";
  }
  return sha256_hex(std::as_bytes(std::span(list)));
}

Result<Source> find_saved_model(const fs::path& folder) {
  std::set<fs::path> files;
  std::error_code failure;
  for (fs::recursive_directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    if (entry->is_directory(failure) && !entry->is_symlink(failure)) continue;
    if (files.size() == kMaxFiles) return Error{ErrorCode::kTooLarge, "holds more than 1000 files"};
    files.insert(entry->path().lexically_relative(folder));
  }
  if (failure) return Error{ErrorCode::kIo, "cannot be read: " + failure.message()};
  if (!files.contains("saved_model.pb")) {
    if (files.contains("config.json") && files.contains("model.weights.h5"))
      return Error{ErrorCode::kUnsupported,
                   "is an unpacked .keras file: load it in Keras and write it with model.export(\"FOLDER\")"};
    return Error{ErrorCode::kUnsupported, "is a folder without saved_model.pb, so no TensorFlow SavedModel"};
  }
  auto sha256 = hash_of(folder, {files.begin(), files.end()});
  if (!sha256) return sha256.error();
  return Source{SourceFormat::kSavedModel, folder, std::move(*sha256)};
}

/// Only Keras can build a network from its own files: they hold Python's classes by name.
Error keras_error() {
  return {ErrorCode::kUnsupported,
          "is a file of Keras' own, which only Keras can read; write it once more from Python, "
          "keras.models.load_model(\"FILE\").export(\"FOLDER\"), and import that folder"};
}

Result<Source> find_file(const fs::path& file) {
  const std::string extension = lowered(file.extension().string());
  std::uint64_t budget = kMaxSourceBytes;
  const auto bytes = read_part(file, budget);
  if (!bytes) return bytes.error();
  if (begins_with(*bytes, 0, "\x89HDF") || extension == ".keras" || extension == ".h5" ||
      extension == ".hdf5")
    return keras_error();
  const auto source = [&](SourceFormat format) { return Source{format, file, sha256_hex(*bytes)}; };
  const auto bad = [](const char* why) { return Error{ErrorCode::kBadModel, why}; };
  if (extension == ".tflite") {
    if (!begins_with(*bytes, 4, "TFL3")) return bad("is no TensorFlow Lite file");
    return source(SourceFormat::kTfLite);
  }
  if (extension == ".pb") {
    if (file.filename() == "saved_model.pb")
      return Error{ErrorCode::kUnsupported,
                   "is one file of a TensorFlow SavedModel; give the folder that it lies in"};
    return source(SourceFormat::kFrozenGraph);
  }
  if (extension == ".onnx") {
    const auto facts = onnx_facts(*bytes);
    if (!facts) return facts.error();
    if (facts->external_data)
      return Error{ErrorCode::kUnsupported,
                   "keeps weights in other files (external data); save it with all weights in one file"};
    return source(SourceFormat::kOnnx);
  }
  if (extension == ".xml") {
    const fs::path name = file.filename();
    auto sha256 = hash_of(file.parent_path(), {fs::path(name).replace_extension(".bin"), name});
    if (!sha256) return sha256.error();
    return Source{SourceFormat::kOpenVino, file, std::move(*sha256)};
  }
  return Error{
      ErrorCode::kUnsupported,
      "is none of: folder of a TensorFlow SavedModel, frozen graph (.pb), TensorFlow Lite (.tflite), "
      "ONNX (.onnx), OpenVINO IR (.xml)"};
}

}  // namespace

const char* name(SourceFormat format) {
  switch (format) {
    case SourceFormat::kSavedModel:
      return "TensorFlow SavedModel";
    case SourceFormat::kFrozenGraph:
      return "TensorFlow frozen graph";
    case SourceFormat::kTfLite:
      return "TensorFlow Lite";
    case SourceFormat::kOnnx:
      return "ONNX";
    case SourceFormat::kOpenVino:
      return "OpenVINO IR";
  }
  throw std::logic_error("no such format");
}

Result<Source> find_source(const fs::path& path) {
  std::error_code failure;
  const fs::file_status status = fs::status(path, failure);
  if (!fs::exists(status)) return Error{ErrorCode::kNotFound, "no such file or folder"};
  return fs::is_directory(status) ? find_saved_model(path) : find_file(path);
}

}  // namespace xray
