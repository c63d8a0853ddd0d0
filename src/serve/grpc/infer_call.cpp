#include "serve/grpc/infer_call.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <exception>
#include <stdexcept>

#include "serve/grpc/infer_message.h"
#include "serve/grpc/status.h"

namespace xray {
namespace {

Result<Done> infer(const Inference& inference, const grpc::ByteBuffer& request, std::size_t max_parsed,
                   const std::stop_token& abandoned, inference::ModelInferResponse& response) {
  // The client may have left while the request waited, or in the middle of sending it.
  if (abandoned.stop_requested()) return Error{ErrorCode::kCancelled, "nobody waits for the answer"};
  // The reader wants one that it could change, though it only reads.
  grpc::ByteBuffer bytes(request);
  grpc::ProtoBufferReader reader(&bytes);
  const auto message = InferMessage::parse(reader, max_parsed);
  if (!message) return message.error();
  const inference::ModelInferRequest& asked = (*message)->get();
  response.set_id(asked.id());

  const auto model = inference.models().find(asked.model_name(), asked.model_version());
  if (!model) return model.error();
  const auto question = read_question(asked);
  if (!question) return question.error();
  const auto tensors = inference.infer(**model, question->inputs, question->outputs, abandoned);
  if (!tensors) return tensors.error();
  response.set_model_name(asked.model_name());
  response.set_model_version((*model)->version);
  write_answer(*tensors, response);
  // Asked for where a stream may give several answers to one request; here it is always one.
  const auto final = asked.parameters().find("triton_enable_empty_final_response");
  if (final != asked.parameters().end() && final->second.bool_param())
    (*response.mutable_parameters())["triton_final_response"].set_bool_param(true);
  return Done{};
}

}  // namespace

grpc::Status answer_infer(const Inference& inference, const grpc::ByteBuffer& request, std::size_t max_parsed,
                          const std::stop_token& abandoned, inference::ModelInferResponse& response) {
  const auto begin = std::chrono::steady_clock::now();
  grpc::Status status;
  try {
    const Result<Done> done = infer(inference, request, max_parsed, abandoned, response);
    if (!done) status = problem_status(done.error());
  } catch (const std::exception& failure) {
    status = problem_status({ErrorCode::kInternal, failure.what()});
  }
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - begin;
  spdlog::info("gRPC ModelInfer {} {} B {:.1f} ms", name(status.error_code()), request.Length(),
               spent.count());
  return status;
}

grpc::Status busy_status() {
  return problem_status({ErrorCode::kBusy, "too many requests wait already; try again in a second"});
}

grpc::ByteBuffer to_bytes(const google::protobuf::MessageLite& message) {
  grpc::ByteBuffer bytes;
  bool own = false;
  const grpc::Status written =
      grpc::GenericSerialize<grpc::ProtoBufferWriter, google::protobuf::MessageLite>(message, &bytes, &own);
  if (!written.ok()) throw std::runtime_error(written.error_message());
  return bytes;
}

}  // namespace xray
