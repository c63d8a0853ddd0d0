#include "serve/http/problem.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <nlohmann/json.hpp>

namespace xray {
namespace {

constexpr const char* kRetryAfter = "Retry-After";

}  // namespace

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotAPicture:
    case ErrorCode::kDamaged:
      return 400;
    case ErrorCode::kUnauthenticated:
      return 401;
    case ErrorCode::kForbidden:
      return 403;
    case ErrorCode::kOverQuota:
      return 429;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kTimeout:
      return 408;
    case ErrorCode::kTooLarge:
      return 413;
    case ErrorCode::kUnsupported:
      return 415;
    case ErrorCode::kUnusable:
      return 422;
    case ErrorCode::kIo:
    case ErrorCode::kStorage:
    case ErrorCode::kBadModel:
    case ErrorCode::kInternal:
      return 500;
    case ErrorCode::kBusy:
    case ErrorCode::kCancelled:
      return 503;
  }
  return 500;
}

Response problem(int status, const Error& error) {
  std::string detail = error.message;
  if (status == 500 || status == 507) spdlog::error("{}: {}", name(error.code), error.message);
  if (status == 500) detail = "the server failed to do its part; its log tells more";
  const std::string_view title =
      boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(static_cast<unsigned>(status)));
  Response response = json_response(status, {{"type", "about:blank"},
                                             {"title", title},
                                             {"status", status},
                                             {"detail", detail},
                                             {"code", name(error.code)},
                                             {"error", detail}});
  response.headers.front().value = "application/problem+json";
  if (status == 503) response.headers.push_back({kRetryAfter, "1"});
  return response;
}

Response problem(const Error& error) {
  return problem(http_status(error.code), error);
}

Response busy(const std::string& why, std::chrono::milliseconds wait) {
  Response response = problem({ErrorCode::kBusy, why});
  const auto seconds = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(wait).count());
  response.headers.back() = {kRetryAfter, std::to_string(seconds)};
  return response;
}

Response over_quota(const std::string& why, std::chrono::milliseconds wait) {
  Response response = problem({ErrorCode::kOverQuota, why});
  response.refused_by = "quota";
  const auto seconds = std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(wait).count());
  response.headers.push_back({kRetryAfter, std::to_string(seconds)});
  return response;
}

}  // namespace xray
