#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <mutex>
#include <stop_token>

#include "serve/grpc/inference_service.h"

namespace xray {

/// One ModelStreamInfer call: reads a request, has it answered, and the next one only then, so
/// that a stream holds one request and one place in the queue, however much its client sends.
/// Deletes itself once the call is over.
class InferStream final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  /// `admit` tells whether the caller may, asked for each request.
  InferStream(InferenceService& service, std::function<grpc::Status()> admit);

  /// Ends it once the request it is at is answered. Thread-safe.
  void end();

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void answer();
  /// Ends the call, once.
  void finish(const grpc::Status& status);

  InferenceService& service_;
  const std::function<grpc::Status()> admit_;
  std::stop_source abandoned_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
  std::mutex mutex_;
  bool reading_ = true;    ///< nothing but the client's next request is awaited
  bool ending_ = false;    ///< end() was called
  bool finished_ = false;  ///< Finish() was called
};

}  // namespace xray
