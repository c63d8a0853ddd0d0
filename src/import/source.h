#pragma once

#include <filesystem>
#include <string>

#include "common/result.h"

namespace xray {

/// What a network that other tools wrote lies in.
enum class SourceFormat {
  kSavedModel,   ///< folder of TensorFlow
  kFrozenGraph,  ///< TensorFlow's GraphDef with its weights in it, .pb
  kTfLite,       ///< .tflite
  kOnnx,         ///< .onnx, weights and all
  kOpenVino,     ///< OpenVINO's IR, .xml with its .bin beside it
};
/// "TensorFlow SavedModel", "TensorFlow frozen graph", "TensorFlow Lite", "ONNX", "OpenVINO IR".
const char* name(SourceFormat format);

/// All files of a network together may be as large as this.
inline constexpr std::uint64_t kMaxSourceBytes = 2ULL << 30U;

/// A file or folder that may be given to a reader.
struct Source {
  SourceFormat format = SourceFormat::kOnnx;
  std::filesystem::path path;  ///< the folder of a SavedModel, else the file
  /// Of the file's bytes; of a SavedModel or an IR, of a text with a line "sha256  relative/path" for
  /// each of its files, ordered by path (as sha256sum writes it).
  std::string sha256;
};

/// Tells the format by name and first bytes, and looks at every file: regular files only, no links,
/// at most kMaxSourceBytes, and nothing in them that makes a reader open others (ONNX's external data).
/// kNotFound, kTooLarge, kIo; kUnsupported for what cannot be imported, with what can be done
/// (Keras' own files: their export); kBadModel for what is not what its name says.
Result<Source> find_source(const std::filesystem::path& path);

}  // namespace xray
