#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/work_queue.h"
#include "serve/inference/inference.h"

namespace xray {

/// Certificate and its chain, and the key; as PEM.
struct GrpcPem {
  std::string chain;
  std::string key;
};
/// The pair to be served now; quick and thread-safe, asked for each connection.
using GrpcCertificate = std::function<GrpcPem()>;

/// Where to listen and what clients may cost.
struct GrpcOptions {
  std::string host = "127.0.0.1";    ///< a name or an address; IPv6 without brackets
  std::uint16_t port = 8001;         ///< 0: any free one
  std::string version;               ///< of the program, for ServerMetadata
  GrpcCertificate certificate{};     ///< none: in the clear
  std::function<bool()> is_ready{};  ///< for ServerReady, quick and thread-safe; none: always
  /// See InferenceServiceOptions::admit.
  std::function<Result<Done>(std::string_view authorization, bool diagnose, const std::string& address)>
      admit{};
  std::uint64_t max_picture = 64ULL << 20U;         ///< bytes; a message may be that large and a little more
  std::size_t max_buffered = 512ULL << 20U;         ///< bytes of all messages held at one time, about
  std::chrono::milliseconds drain_timeout{10'000};  ///< for running calls once told to stop
};

/// The Open Inference Protocol over gRPC, and grpc.health.v1. Serves from
/// its making on, on threads of its own. Browsers cannot speak gRPC, so that what guard() keeps
/// out over HTTP does not arise.
class GrpcServer {
 public:
  /// Binds and serves. kInvalidArgument where `host` names no address, kIo where the address
  /// is in use or not ours. `inference` and `diagnoses` outlive the server.
  static Result<std::unique_ptr<GrpcServer>> start(const GrpcOptions& options, const Inference& inference,
                                                   WorkQueue& diagnoses);
  /// As stop() and wait() do.
  ~GrpcServer();

  std::uint16_t port() const;
  /// "grpc://127.0.0.1:8001"; "grpcs://" through TLS.
  std::string url() const;
  /// Whether only this machine can reach it.
  bool is_loopback() const;

  /// From any thread, and at once: no new calls; those that run are answered for as long as
  /// drain_timeout lets them.
  void stop();
  /// Until all calls have ended, after stop().
  void wait();

  struct State;

 private:
  explicit GrpcServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace xray
