#pragma once

#include <string>
#include <string_view>

namespace xray {

/// What went wrong, as the caller has to tell it apart. Messages tell the rest.
enum class ErrorCode {
  kInvalidArgument,  ///< the caller asked for something that makes no sense
  kNotFound,         ///< no such file, finding, page
  kNotAPicture,      ///< bytes of no image format at all
  kUnsupported,      ///< a known format, but a variant that is not read
  kTooLarge,         ///< over the limit on bytes or pixels; nothing was decoded
  kDamaged,          ///< truncated or corrupt
  kUnusable,         ///< decodes, but nothing can be judged on it
  kUnauthenticated,  ///< who asks has to say who he is, or cannot be believed
  kForbidden,        ///< known, but may not do this
  kOverQuota,        ///< did too much of it lately
  kBusy,             ///< a queue is full; try again
  kTimeout,          ///< took too long
  kIo,               ///< reading or writing a file or socket failed
  kStorage,          ///< the database failed
  kBadModel,         ///< a model package that cannot be loaded
  kCancelled,        ///< somebody asked to stop
  kInternal,         ///< a bug of ours
};

/// The code as users see it in JSON: "not_a_picture". Static storage.
std::string_view name(ErrorCode code);

/// A failure as a value. `message` is one sentence for a person, without the
/// file's name: whoever knows the name puts it in front.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};

/// `error` with "`context`: " before its message.
Error with_context(Error error, std::string_view context);

}  // namespace xray
