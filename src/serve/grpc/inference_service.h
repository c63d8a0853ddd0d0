#pragma once

#include <open_inference.grpc.pb.h>

#include <cstddef>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "common/work_queue.h"
#include "serve/inference/inference.h"

namespace xray {

class InferStream;

/// How much clients may ask of an InferenceService.
struct InferenceServiceOptions {
  std::string version;             ///< of the program
  std::function<bool()> is_ready;  ///< for ServerReady, quick and thread-safe; none: always
  /// Whether the caller with this "authorization" may read, or (`diagnose`) have pictures read; none:
  /// everybody may. Asks the database at times. Thread-safe.
  std::function<Result<Done>(std::string_view authorization, bool diagnose, const std::string& address)>
      admit{};
  std::size_t max_parsed = 256ULL << 20U;  ///< bytes of one request's parts once parsed: InferMessage
  std::size_t max_streams = 256;           ///< ModelStreamInfer calls at one time
};

/// How each method is served: requests with pictures as bytes, to be parsed elsewhere and
/// within bounds, all others as messages.
template <typename Service, typename Base = typename Service::Service>
using ServedMethods = typename Service::template WithRawCallbackMethod_ModelInfer<
    typename Service::template WithRawCallbackMethod_ModelStreamInfer<
        typename Service::template WithCallbackMethod_ServerLive<
            typename Service::template WithCallbackMethod_ServerReady<
                typename Service::template WithCallbackMethod_ModelReady<
                    typename Service::template WithCallbackMethod_ServerMetadata<
                        typename Service::template WithCallbackMethod_ModelMetadata<
                            typename Service::template WithCallbackMethod_RepositoryIndex<Base>>>>>>>>;
using InferenceMethods = ServedMethods<inference::GRPCInferenceService>;

/// inference.GRPCInferenceService over an Inference. Nothing here holds a thread of gRPC's:
/// requests with pictures are parsed and worked off in the queue of diagnoses, UNAVAILABLE
/// where it is full, and clients that are slow hold memory alone. Thread-safe.
class InferenceService final : public InferenceMethods {
 public:
  /// `inference` and `diagnoses` outlive all calls.
  InferenceService(const Inference& inference, WorkQueue& diagnoses, InferenceServiceOptions options);

  /// Ends each stream once the request it is at is answered, and takes no new ones.
  void end_streams();

  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context,
                                       const inference::ServerLiveRequest* request,
                                       inference::ServerLiveResponse* response) override;
  grpc::ServerUnaryReactor* ServerReady(grpc::CallbackServerContext* context,
                                        const inference::ServerReadyRequest* request,
                                        inference::ServerReadyResponse* response) override;
  grpc::ServerUnaryReactor* ModelReady(grpc::CallbackServerContext* context,
                                       const inference::ModelReadyRequest* request,
                                       inference::ModelReadyResponse* response) override;
  grpc::ServerUnaryReactor* ServerMetadata(grpc::CallbackServerContext* context,
                                           const inference::ServerMetadataRequest* request,
                                           inference::ServerMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelMetadata(grpc::CallbackServerContext* context,
                                          const inference::ModelMetadataRequest* request,
                                          inference::ModelMetadataResponse* response) override;
  grpc::ServerUnaryReactor* RepositoryIndex(grpc::CallbackServerContext* context,
                                            const inference::RepositoryIndexRequest* request,
                                            inference::RepositoryIndexResponse* response) override;
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ModelStreamInfer(
      grpc::CallbackServerContext* context) override;

 private:
  friend class InferStream;

  /// Whether the caller may.
  grpc::Status admit(const grpc::CallbackServerContext& context, bool diagnose) const;
  /// False where there are too many, or the service is stopping.
  bool add(InferStream& stream);
  void remove(InferStream& stream);

  const Inference& inference_;
  WorkQueue& diagnoses_;
  const InferenceServiceOptions options_;
  std::mutex mutex_;
  std::set<InferStream*> streams_;
  bool stopping_ = false;
};

}  // namespace xray
