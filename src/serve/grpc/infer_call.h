#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>
#include <open_inference.pb.h>

#include <cstddef>
#include <stop_token>

#include "serve/inference/inference.h"

namespace xray {

/// Parses a ModelInferRequest within `max_parsed` bytes and answers it, for some milliseconds per
/// picture; gives up once `abandoned`. What fails is a status, and `response` holds the
/// request's id as far as that was read. Throws nothing. One line of the log.
grpc::Status answer_infer(const Inference& inference, const grpc::ByteBuffer& request, std::size_t max_parsed,
                          const std::stop_token& abandoned, inference::ModelInferResponse& response);

/// UNAVAILABLE, for what the queue does not take.
grpc::Status busy_status();

/// The message as it goes over the wire.
grpc::ByteBuffer to_bytes(const google::protobuf::MessageLite& message);

}  // namespace xray
