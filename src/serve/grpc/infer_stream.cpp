#include "serve/grpc/infer_stream.h"

#include "serve/grpc/infer_call.h"
#include "serve/grpc/status.h"

namespace xray {
namespace {

grpc::Status stopping_status() {
  return problem_status({ErrorCode::kCancelled, "the server is stopping"});
}

}  // namespace

InferStream::InferStream(InferenceService& service, std::function<grpc::Status()> admit)
    : service_(service), admit_(std::move(admit)) {
  if (service_.add(*this))
    StartRead(&request_);
  else
    finish(busy_status());
}

void InferStream::end() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
    if (!reading_ || finished_) return;
    finished_ = true;
  }
  Finish(stopping_status());
}

void InferStream::OnReadDone(bool ok) {
  {
    const std::scoped_lock lock(mutex_);
    if (finished_) return;
    reading_ = false;
  }
  // No more requests: the client has ended its half.
  if (!ok) return finish(grpc::Status::OK);
  if (service_.diagnoses_.submit([this] { answer(); })) return;
  inference::ModelStreamInferResponse busy;
  busy.set_error_message(busy_status().error_message());
  response_ = to_bytes(busy);
  StartWrite(&response_);
}

void InferStream::answer() {
  // Asked for each request: a key may be taken back while a stream runs.
  if (const grpc::Status admitted = admit_(); !admitted.ok()) return finish(admitted);
  inference::ModelStreamInferResponse response;
  const grpc::Status status = answer_infer(service_.inference_, request_, service_.options_.max_parsed,
                                           abandoned_.get_token(), *response.mutable_infer_response());
  if (!status.ok()) response.set_error_message(status.error_message());
  request_.Clear();
  response_ = to_bytes(response);
  StartWrite(&response_);
}

void InferStream::OnWriteDone(bool ok) {
  response_.Clear();
  if (!ok) return finish({grpc::StatusCode::CANCELLED, "the client is gone"});
  bool ending = false;
  {
    const std::scoped_lock lock(mutex_);
    ending = ending_;
    reading_ = !ending;
  }
  if (ending) return finish(stopping_status());
  StartRead(&request_);
}

void InferStream::OnCancel() {
  abandoned_.request_stop();
}

void InferStream::OnDone() {
  service_.remove(*this);
  delete this;
}

void InferStream::finish(const grpc::Status& status) {
  {
    const std::scoped_lock lock(mutex_);
    if (finished_) return;
    finished_ = true;
  }
  Finish(status);
}

}  // namespace xray
