#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace xray::load {

/// Where requests go.
struct Target {
  std::string host;
  std::uint16_t port = 80;
  std::string path = "/";

  /// "127.0.0.1:8080", for the Host field.
  std::string authority() const { return host + ":" + std::to_string(port); }
};

/// "http://127.0.0.1:8080/api/v1/findings". kInvalidArgument for anything else,
/// names in brackets (IPv6) included.
Result<Target> parse_target(std::string_view url);

/// How a picture stands in the body.
enum class BodyForm {
  kMultipart,  ///< a file of a web form
  kRaw,        ///< the file as it is, its media type in the head
  kJson,       ///< {"instances": [{"b64": "..."}]}, as TensorFlow Serving's REST API takes binary values
};

struct RequestForm {
  BodyForm body = BodyForm::kMultipart;
  std::string field = "file";        ///< kMultipart: the form's field
  std::string input;                 ///< kJson: the name of the model's input; empty: the only one
  std::vector<std::string> headers;  ///< more fields, each "Name: value"
};

/// The pictures (.jpg, .jpeg, .png) in `folder` at any depth, sorted, `most` of them at the
/// most, picked evenly. kNotFound where there is none, kIo where it cannot be read.
Result<std::vector<std::filesystem::path>> find_pictures(const std::filesystem::path& folder,
                                                         std::size_t most);

/// A POST per file, head and body, ready for the wire. Fails as read_file() does.
Result<std::vector<std::string>> make_requests(const Target& target, const RequestForm& form,
                                               const std::vector<std::filesystem::path>& files);

}  // namespace xray::load
