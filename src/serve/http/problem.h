#pragma once

#include "common/error.h"
#include "serve/http/http_message.h"

namespace xray {

/// The HTTP status that tells an error of this kind.
int http_status(ErrorCode code);

/// An error as problem details (RFC 9457): {"type", "title", "status", "detail",
/// "code", "error"}; "error" is the detail again, where clients of model servers
/// look for it. What went wrong inside (5xx, save for kBusy and kCancelled) is
/// written to the log, and the client learns only that something did.
Response problem(const Error& error);

/// The same under another status than the code's own.
Response problem(int status, const Error& error);

}  // namespace xray
