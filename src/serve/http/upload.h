#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "common/result.h"
#include "serve/http/http_message.h"

namespace xray {

/// The one picture of a request.
struct Upload {
  std::string file_name;               ///< cleaned; may be empty
  std::span<const std::byte> picture;  ///< inside the request's body
};

/// The picture from a multipart/form-data body with one file, or from a raw body of
/// image/jpeg, image/png, application/dicom, application/octet-stream or no type,
/// whose name may stand in X-File-Name (percent-encoded) or in ?name=.
/// kUnsupported for other content types; kInvalidArgument for a malformed form,
/// several files or none; kNotAPicture for an empty one.
Result<Upload> read_upload(const Request& request);

/// A name as people may see it: without folders and control characters, valid
/// UTF-8 (U+FFFD for what is not), 255 bytes at most.
std::string clean_file_name(std::string_view name);

}  // namespace xray
