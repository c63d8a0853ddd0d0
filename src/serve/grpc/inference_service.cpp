#include "serve/grpc/inference_service.h"

#include <algorithm>
#include <stop_token>
#include <utility>

#include "serve/grpc/infer_call.h"
#include "serve/grpc/infer_stream.h"
#include "serve/grpc/status.h"

namespace xray {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

/// An answer that took no time.
ServerUnaryReactor* at_once(CallbackServerContext* context, const grpc::Status& status = grpc::Status::OK) {
  ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

/// One ModelInfer call. Deletes itself once the call is over.
class InferCall final : public ServerUnaryReactor {
 public:
  /// Everything outlives the call.
  InferCall(const Inference& inference, std::size_t max_parsed, const grpc::ByteBuffer& request,
            grpc::ByteBuffer& response, std::function<grpc::Status()> admit)
      : inference_(inference),
        max_parsed_(max_parsed),
        request_(request),
        response_(response),
        admit_(std::move(admit)) {}

  void answer() {
    if (const grpc::Status admitted = admit_(); !admitted.ok()) return Finish(admitted);
    inference::ModelInferResponse message;
    const grpc::Status status =
        answer_infer(inference_, request_, max_parsed_, abandoned_.get_token(), message);
    if (status.ok()) response_ = to_bytes(message);
    Finish(status);
  }

  void OnCancel() override { abandoned_.request_stop(); }
  void OnDone() override { delete this; }

 private:
  const Inference& inference_;
  std::size_t max_parsed_;
  const grpc::ByteBuffer& request_;
  grpc::ByteBuffer& response_;
  const std::function<grpc::Status()> admit_;
  std::stop_source abandoned_;
};

void describe(std::span<const TensorSpec> specs,
              google::protobuf::RepeatedPtrField<inference::ModelMetadataResponse::TensorMetadata>& tensors) {
  for (const TensorSpec& spec : specs) {
    auto& tensor = *tensors.Add();
    tensor.set_name(spec.name);
    tensor.set_datatype(name(spec.type));
    tensor.mutable_shape()->Add(spec.shape.begin(), spec.shape.end());
  }
}

}  // namespace

InferenceService::InferenceService(const Inference& inference, WorkQueue& diagnoses,
                                   InferenceServiceOptions options)
    : inference_(inference), diagnoses_(diagnoses), options_(std::move(options)) {}

bool InferenceService::add(InferStream& stream) {
  const std::scoped_lock lock(mutex_);
  if (stopping_ || streams_.size() >= options_.max_streams) return false;
  streams_.insert(&stream);
  return true;
}

void InferenceService::remove(InferStream& stream) {
  const std::scoped_lock lock(mutex_);
  streams_.erase(&stream);
}

grpc::Status InferenceService::admit(const CallbackServerContext& context, bool diagnose) const {
  if (!options_.admit) return grpc::Status::OK;
  const auto& metadata = context.client_metadata();
  const bool one = metadata.count("authorization") == 1;
  const grpc::string_ref value = one ? metadata.find("authorization")->second : grpc::string_ref();
  // "ipv4:192.0.2.1:4711", "ipv6:%5B2001:db8::1%5D:4711"
  std::string peer = context.peer();
  peer.erase(0, peer.find(':') + 1);
  peer.erase(std::min(peer.rfind(':'), peer.size()));
  if (peer.starts_with("%5B") && peer.ends_with("%5D")) peer = peer.substr(3, peer.size() - 6);
  const Result<Done> admitted = options_.admit({value.data(), value.size()}, diagnose, peer);
  return admitted ? grpc::Status::OK : problem_status(admitted.error());
}

void InferenceService::end_streams() {
  const std::scoped_lock lock(mutex_);
  stopping_ = true;
  for (InferStream* stream : streams_) stream->end();
}

ServerUnaryReactor* InferenceService::ServerLive(CallbackServerContext* context,
                                                 const inference::ServerLiveRequest*,
                                                 inference::ServerLiveResponse* response) {
  response->set_live(true);
  return at_once(context);
}

ServerUnaryReactor* InferenceService::ServerReady(CallbackServerContext* context,
                                                  const inference::ServerReadyRequest*,
                                                  inference::ServerReadyResponse* response) {
  response->set_ready(!options_.is_ready || options_.is_ready());
  return at_once(context);
}

ServerUnaryReactor* InferenceService::ModelReady(CallbackServerContext* context,
                                                 const inference::ModelReadyRequest* request,
                                                 inference::ModelReadyResponse* response) {
  if (const grpc::Status admitted = admit(*context, false); !admitted.ok()) return at_once(context, admitted);
  response->set_ready(inference_.models().find(request->name(), request->version()).ok());
  return at_once(context);
}

ServerUnaryReactor* InferenceService::ServerMetadata(CallbackServerContext* context,
                                                     const inference::ServerMetadataRequest*,
                                                     inference::ServerMetadataResponse* response) {
  if (const grpc::Status admitted = admit(*context, false); !admitted.ok()) return at_once(context, admitted);
  response->set_name("xray");
  response->set_version(options_.version);
  response->add_extensions("model_repository");
  return at_once(context);
}

ServerUnaryReactor* InferenceService::ModelMetadata(CallbackServerContext* context,
                                                    const inference::ModelMetadataRequest* request,
                                                    inference::ModelMetadataResponse* response) {
  if (const grpc::Status admitted = admit(*context, false); !admitted.ok()) return at_once(context, admitted);
  const auto model = inference_.models().find(request->name(), request->version());
  if (!model) return at_once(context, problem_status(model.error()));
  // By the name that it was asked for, which may be ModelSet::kPrimary.
  response->set_name(request->name());
  for (const ModelHandle& other : inference_.models().list())
    if (other->name == (*model)->name) response->add_versions(other->version);
  response->set_platform("xray");
  describe(input_specs(), *response->mutable_inputs());
  describe(output_specs(), *response->mutable_outputs());
  return at_once(context);
}

ServerUnaryReactor* InferenceService::RepositoryIndex(CallbackServerContext* context,
                                                      const inference::RepositoryIndexRequest*,
                                                      inference::RepositoryIndexResponse* response) {
  if (const grpc::Status admitted = admit(*context, false); !admitted.ok()) return at_once(context, admitted);
  for (const ModelHandle& model : inference_.models().list()) {
    auto& entry = *response->add_models();
    entry.set_name(model->name);
    entry.set_version(model->version);
    entry.set_state("READY");
  }
  return at_once(context);
}

ServerUnaryReactor* InferenceService::ModelInfer(CallbackServerContext* context,
                                                 const grpc::ByteBuffer* request,
                                                 grpc::ByteBuffer* response) {
  auto* call = new InferCall(inference_, options_.max_parsed, *request, *response,
                             [this, context] { return admit(*context, true); });
  if (!diagnoses_.submit([call] { call->answer(); })) call->Finish(busy_status());
  return call;
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* InferenceService::ModelStreamInfer(
    CallbackServerContext* context) {
  return new InferStream(*this, [this, context] { return admit(*context, true); });
}

}  // namespace xray
