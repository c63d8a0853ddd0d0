#pragma once

#include <chrono>
#include <string>

#include "common/error.h"
#include "serve/http/http_message.h"

namespace xray {

/// The HTTP status that tells an error of this kind.
int http_status(ErrorCode code);

/// An error as problem details (RFC 9457): {"type", "title", "status", "detail",
/// "code", "error"}; "error" is the detail again, where clients of model servers
/// look for it. What went wrong inside (500) is
/// written to the log, and the client learns only that something did.
Response problem(const Error& error);

/// The same under another status than the code's own.
Response problem(int status, const Error& error);

/// 503, kBusy, with Retry-After: `wait` in whole seconds, one at least.
Response busy(const std::string& why, std::chrono::milliseconds wait = {});

/// 429, kOverQuota, with Retry-After as above.
Response over_quota(const std::string& why, std::chrono::milliseconds wait);

}  // namespace xray
