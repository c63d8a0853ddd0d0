#pragma once

#include <grpcpp/support/status.h>

#include "common/error.h"

namespace xray {

/// The code that `code` goes under: UNAVAILABLE where trying again helps, INVALID_ARGUMENT
/// where it never does, RESOURCE_EXHAUSTED for what is too large, as gRPC itself says it.
grpc::StatusCode grpc_status(ErrorCode code);

/// A failure as a client is told of it. What failed on our side is logged, and told without details.
grpc::Status problem_status(const Error& error);

/// "INVALID_ARGUMENT". Static storage.
const char* name(grpc::StatusCode code);

}  // namespace xray
