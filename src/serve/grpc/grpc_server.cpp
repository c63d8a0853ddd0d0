#include "serve/grpc/grpc_server.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <limits>
#include <mutex>
#include <thread>

#include "serve/grpc/inference_service.h"
#include "serve/grpc/reloading_credentials.h"

namespace xray {
namespace {

using boost::asio::ip::tcp;

/// What a message adds to its picture: names, shapes, parameters.
constexpr std::uint64_t kMessageOverhead = 64U << 10U;
/// Parsed, parts of a message may take this many times its size; typed contents of few bits
/// need the most.
constexpr std::size_t kParsedGrowth = 4;
constexpr int kStreamsPerConnection = 128;
constexpr int kIdleConnection = 300'000;  ///< ms
constexpr int kKeepalive = 60'000;        ///< ms between pings that find dead clients out
constexpr int kKeepaliveTimeout = 20'000;
constexpr int kClientPings = 10'000;  ///< ms that clients leave between theirs, at least

/// gRPC's own log into ours.
void log_line(gpr_log_func_args* line) {
  if (line->severity == GPR_LOG_SEVERITY_ERROR) spdlog::warn("gRPC: {}", line->message);
}

std::string in_brackets(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return endpoint.address().is_v6() ? "[" + address + "]" : address;
}

Result<tcp::endpoint> resolve(const std::string& host, std::uint16_t port) {
  boost::asio::io_context io;
  boost::system::error_code error;
  const auto found = tcp::resolver(io).resolve(
      host, std::to_string(port), tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error) return Error{ErrorCode::kInvalidArgument, host + " names no address: " + error.message()};
  return found.begin()->endpoint();
}

void set_limits(grpc::ServerBuilder& builder, const GrpcOptions& options) {
  const std::uint64_t message = options.max_picture + kMessageOverhead;
  builder.SetMaxReceiveMessageSize(
      static_cast<int>(std::min<std::uint64_t>(message, std::numeric_limits<int>::max())));
  grpc::ResourceQuota quota("xray");
  quota.Resize(std::max<std::size_t>(options.max_buffered, 2 * message));
  builder.SetResourceQuota(quota);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleConnection);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepalive);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeout);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kClientPings);
  // gRPC unpacks a compressed message whatever it grows to; pictures are compressed as it is.
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  // Two servers on one port would share its clients, silently.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

std::shared_ptr<grpc::ServerCredentials> credentials(const GrpcCertificate& certificate) {
  return certificate ? reloading_credentials(certificate) : grpc::InsecureServerCredentials();
}

}  // namespace

struct GrpcServer::State {
  State(const Inference& inference, WorkQueue& diagnoses, const InferenceServiceOptions& options)
      : service(inference, diagnoses, options) {}

  google::protobuf::LogSilencer quiet;  ///< clients are told of their malformed messages
  InferenceService service;
  tcp::endpoint endpoint;
  bool tls = false;
  std::shared_ptr<grpc::ServerCredentials> credentials;  ///< asked for as long as there are handshakes
  std::chrono::milliseconds drain_timeout{0};
  std::unique_ptr<grpc::Server> server;
  std::once_flag stopped;
  std::jthread drain;  ///< last, so that it ends first
};

GrpcServer::GrpcServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

GrpcServer::~GrpcServer() {
  stop();
  wait();
}

Result<std::unique_ptr<GrpcServer>> GrpcServer::start(const GrpcOptions& options, const Inference& inference,
                                                      WorkQueue& diagnoses) {
  gpr_set_log_function(log_line);
  const Result<tcp::endpoint> endpoint = resolve(options.host, options.port);
  if (!endpoint) return endpoint.error();
  InferenceServiceOptions service;
  service.version = options.version;
  service.is_ready = options.is_ready;
  service.admit = options.admit;
  service.max_parsed = kParsedGrowth * (options.max_picture + kMessageOverhead);
  auto state = std::make_unique<State>(inference, diagnoses, service);
  state->drain_timeout = options.drain_timeout;
  state->tls = options.certificate != nullptr;
  state->credentials = credentials(options.certificate);

  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  set_limits(builder, options);
  int port = 0;
  builder.AddListeningPort(in_brackets(*endpoint) + ":" + std::to_string(options.port), state->credentials,
                           &port);
  builder.RegisterService(&state->service);
  state->server = builder.BuildAndStart();
  if (state->server == nullptr || port == 0)
    return Error{ErrorCode::kIo, "cannot listen on " + options.host + " port " +
                                     std::to_string(options.port) + ": it is in use, or not this machine's"};
  state->endpoint = tcp::endpoint(endpoint->address(), static_cast<std::uint16_t>(port));
  state->server->GetHealthCheckService()->SetServingStatus(
      inference::GRPCInferenceService::service_full_name(), true);
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(state)));
}

std::uint16_t GrpcServer::port() const {
  return state_->endpoint.port();
}

std::string GrpcServer::url() const {
  return (state_->tls ? "grpcs://" : "grpc://") + in_brackets(state_->endpoint) + ":" +
         std::to_string(port());
}

bool GrpcServer::is_loopback() const {
  return state_->endpoint.address().is_loopback();
}

void GrpcServer::stop() {
  std::call_once(state_->stopped, [state = state_.get()] {
    // Shutdown() blocks until the last call has ended.
    state->drain = std::jthread([state] {
      state->server->GetHealthCheckService()->SetServingStatus(false);
      state->service.end_streams();
      state->server->Shutdown(std::chrono::system_clock::now() + state->drain_timeout);
    });
  });
}

void GrpcServer::wait() {
  if (state_->drain.joinable()) state_->drain.join();
  state_->server->Wait();
}

}  // namespace xray
