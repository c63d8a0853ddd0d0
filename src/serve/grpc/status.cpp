#include "serve/grpc/status.h"

#include <spdlog/spdlog.h>

#include <array>

namespace xray {

grpc::StatusCode grpc_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotAPicture:
    case ErrorCode::kUnsupported:
    case ErrorCode::kDamaged:
    case ErrorCode::kUnusable:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case ErrorCode::kNotFound:
      return grpc::StatusCode::NOT_FOUND;
    case ErrorCode::kUnauthenticated:
      return grpc::StatusCode::UNAUTHENTICATED;
    case ErrorCode::kForbidden:
      return grpc::StatusCode::PERMISSION_DENIED;
    case ErrorCode::kTooLarge:
    case ErrorCode::kOverQuota:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case ErrorCode::kTimeout:
      return grpc::StatusCode::DEADLINE_EXCEEDED;
    case ErrorCode::kBusy:
    case ErrorCode::kCancelled:
      return grpc::StatusCode::UNAVAILABLE;
    case ErrorCode::kIo:
    case ErrorCode::kStorage:
    case ErrorCode::kBadModel:
    case ErrorCode::kInternal:
      return grpc::StatusCode::INTERNAL;
  }
  return grpc::StatusCode::INTERNAL;
}

grpc::Status problem_status(const Error& error) {
  const grpc::StatusCode code = grpc_status(error.code);
  if (code != grpc::StatusCode::INTERNAL) return {code, error.message};
  spdlog::error("{}: {}", name(error.code), error.message);
  return {code, "the server failed to do its part; its log tells more"};
}

const char* name(grpc::StatusCode code) {
  constexpr std::array kNames = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  const auto index = static_cast<std::size_t>(code);
  return index < kNames.size() ? kNames.at(index) : "?";
}

}  // namespace xray
