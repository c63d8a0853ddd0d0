#include "serve/grpc/grpc_server.h"

#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <open_inference.grpc.pb.h>

#include <cstring>
#include <future>
#include <thread>

#include "image/encode.h"
#include "support/certificates.h"
#include "support/gate.h"
#include "support/phantom.h"
#include "support/temp_dir.h"
#include "support/tiny_package.h"

namespace xray::test {
namespace {

using grpc::StatusCode;
using inference::GRPCInferenceService;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using inference::ModelStreamInferResponse;

constexpr std::uint64_t kMaxPicture = 200'000;
constexpr std::chrono::seconds kPatience(30);

/// Lets findings wait at a gate.
class Waiting final : public FindingObserver {
 public:
  explicit Waiting(Gate& gate) : gate_(gate) {}
  void on_finding(const ServedModel&, std::span<const std::byte>, const Result<Finding>&) override {
    gate_.pass();
  }

 private:
  Gate& gate_;
};

ModelHandle tiny_model() {
  const TempDir temp;
  if (!write_tiny_package(temp / "tiny").ok()) throw std::runtime_error("no package");
  return served(make_diagnoser(temp / "tiny").value());
}

/// The server over the tiny model, with one worker and room for one that waits.
class GrpcServerTest : public testing::Test {
 protected:
  GrpcServerTest() {
    models_.add_observer(waiting_);
    server_ = GrpcServer::start(options(), inference_, diagnoses_).value();
    channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string(server_->port()),
                                   grpc::InsecureChannelCredentials());
    stub_ = GRPCInferenceService::NewStub(channel_);
  }
  ~GrpcServerTest() override { gate_.open(); }

  static GrpcOptions options() {
    GrpcOptions options;
    options.port = 0;
    options.version = "1.2.3";
    options.max_picture = kMaxPicture;
    return options;
  }

  static std::string png(double opacity) {
    const Bytes bytes = encode_png(make_phantom({.opacity = opacity})).value();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  static ModelInferRequest question(const std::string& picture, const std::string& id = "") {
    ModelInferRequest request;
    request.set_model_name("xray");
    request.set_id(id);
    auto& input = *request.add_inputs();
    input.set_name("image");
    input.set_datatype("BYTES");
    input.add_shape(1);
    input.mutable_contents()->add_bytes_contents(picture);
    return request;
  }

  static void set_deadline(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
  }

  grpc::Status infer(const ModelInferRequest& request, ModelInferResponse* response = nullptr) {
    grpc::ClientContext context;
    set_deadline(context);
    ModelInferResponse unused;
    return stub_->ModelInfer(&context, request, response != nullptr ? response : &unused);
  }

  /// Calls a method that needs no picture.
  template <typename Method, typename Request, typename Response>
  grpc::Status call(Method method, const Request& request, Response& response) {
    grpc::ClientContext context;
    set_deadline(context);
    return (stub_.get()->*method)(&context, request, &response);
  }

  Gate gate_;
  Waiting waiting_{gate_};
  ModelSet models_{tiny_model()};
  Inference inference_{models_};
  WorkQueue diagnoses_{1, 1};
  std::unique_ptr<GrpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<GRPCInferenceService::Stub> stub_;
};

float pneumonia(const ModelInferResponse& response) {
  float value = -1;
  EXPECT_EQ(response.outputs(1).name(), "pneumonia");
  EXPECT_EQ(response.raw_output_contents(1).size(), sizeof value);
  std::memcpy(&value, response.raw_output_contents(1).data(), sizeof value);
  return value;
}

TEST_F(GrpcServerTest, SaysWhatTheDiagnoserSays) {
  for (const double opacity : {0.0, 1.0}) {
    const std::string picture = png(opacity);
    const Finding expected =
        models_.primary()->diagnoser->diagnose(std::as_bytes(std::span(picture))).value();
    ModelInferResponse response;
    const grpc::Status status = infer(question(picture, "seven"), &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.id(), "seven");
    EXPECT_EQ(response.model_name(), "xray");
    EXPECT_EQ(response.model_version(), "1");
    EXPECT_FLOAT_EQ(pneumonia(response), static_cast<float>(expected.pneumonia / 100));
    EXPECT_EQ(response.raw_output_contents(2).substr(4), name(expected.verdict));
  }
}

TEST_F(GrpcServerTest, GivesOnlyTheOutputsAskedFor) {
  ModelInferRequest request = question(png(1));
  request.add_outputs()->set_name("verdict");
  ModelInferResponse response;
  ASSERT_TRUE(infer(request, &response).ok());
  ASSERT_EQ(response.outputs_size(), 1);
  EXPECT_EQ(response.outputs(0).name(), "verdict");
}

TEST_F(GrpcServerTest, DescribesItselfAndItsModels) {
  inference::ServerLiveResponse live;
  EXPECT_TRUE(call(&GRPCInferenceService::Stub::ServerLive, inference::ServerLiveRequest(), live).ok());
  EXPECT_TRUE(live.live());
  inference::ServerReadyResponse ready;
  EXPECT_TRUE(call(&GRPCInferenceService::Stub::ServerReady, inference::ServerReadyRequest(), ready).ok());
  EXPECT_TRUE(ready.ready());
  inference::ServerMetadataResponse server;
  EXPECT_TRUE(
      call(&GRPCInferenceService::Stub::ServerMetadata, inference::ServerMetadataRequest(), server).ok());
  EXPECT_EQ(server.name(), "xray");
  EXPECT_EQ(server.version(), "1.2.3");

  inference::ModelReadyRequest which;
  inference::ModelReadyResponse model_ready;
  which.set_name("tiny");
  EXPECT_TRUE(call(&GRPCInferenceService::Stub::ModelReady, which, model_ready).ok());
  EXPECT_TRUE(model_ready.ready());
  which.set_version("2");
  EXPECT_TRUE(call(&GRPCInferenceService::Stub::ModelReady, which, model_ready).ok());
  EXPECT_FALSE(model_ready.ready());

  inference::ModelMetadataRequest of;
  inference::ModelMetadataResponse model;
  of.set_name("xray");
  EXPECT_TRUE(call(&GRPCInferenceService::Stub::ModelMetadata, of, model).ok());
  EXPECT_EQ(model.name(), "xray");
  EXPECT_EQ(model.versions(0), "1");
  ASSERT_EQ(model.inputs_size(), static_cast<int>(input_specs().size()));
  EXPECT_EQ(model.inputs(0).name(), "image");
  EXPECT_EQ(model.inputs(0).datatype(), "BYTES");
  EXPECT_EQ(model.inputs(0).shape(0), -1);
  EXPECT_EQ(model.outputs_size(), static_cast<int>(output_specs().size()));
  of.set_name("adult");
  EXPECT_EQ(call(&GRPCInferenceService::Stub::ModelMetadata, of, model).error_code(), StatusCode::NOT_FOUND);

  inference::RepositoryIndexResponse index;
  EXPECT_TRUE(
      call(&GRPCInferenceService::Stub::RepositoryIndex, inference::RepositoryIndexRequest(), index).ok());
  ASSERT_EQ(index.models_size(), 1);
  EXPECT_EQ(index.models(0).name(), "tiny");
  EXPECT_EQ(index.models(0).state(), "READY");
}

TEST_F(GrpcServerTest, RefusesWithTheCodeThatFits) {
  ModelInferRequest other_model = question(png(0));
  other_model.set_model_name("adult");
  EXPECT_EQ(infer(other_model).error_code(), StatusCode::NOT_FOUND);

  const grpc::Status no_picture = infer(question("Dear colleague"));
  EXPECT_EQ(no_picture.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(no_picture.error_message().starts_with("image[0]: ")) << no_picture.error_message();

  EXPECT_EQ(infer(question(std::string(2 * kMaxPicture, 'x'))).error_code(), StatusCode::RESOURCE_EXHAUSTED);

  ModelInferRequest many_parts = question("");
  for (std::size_t i = 0; i < kMaxPicture / 2; ++i) many_parts.add_raw_input_contents("");
  EXPECT_EQ(infer(many_parts).error_code(), StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(GrpcServerTest, UnpacksNothing) {
  grpc::ClientContext context;
  set_deadline(context);
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  ModelInferResponse response;
  EXPECT_EQ(stub_->ModelInfer(&context, question(std::string(kMaxPicture / 2, 'x')), &response).error_code(),
            StatusCode::UNIMPLEMENTED);
}

TEST_F(GrpcServerTest, AnswersAtOnceThatItIsBusy) {
  gate_.shut();
  const std::string picture = png(0);
  auto running = std::async(std::launch::async, [&] { return infer(question(picture)); });
  gate_.wait_for(1);
  // The queue is the test's as well, as it is that of HTTP in life.
  ASSERT_TRUE(diagnoses_.submit([] {}));
  EXPECT_EQ(infer(question(picture)).error_code(), StatusCode::UNAVAILABLE);
  inference::ServerLiveResponse live;
  EXPECT_TRUE(call(&GRPCInferenceService::Stub::ServerLive, inference::ServerLiveRequest(), live).ok());
  gate_.open();
  EXPECT_TRUE(running.get().ok());
}

TEST_F(GrpcServerTest, AnswersStreamsInOrderAndGoesOnAfterFailures) {
  grpc::ClientContext context;
  set_deadline(context);
  const auto stream = stub_->ModelStreamInfer(&context);
  const std::vector<std::string> pictures = {png(0), "no picture", png(1)};
  for (std::size_t i = 0; i < pictures.size(); ++i)
    ASSERT_TRUE(stream->Write(question(pictures[i], std::to_string(i))));
  stream->WritesDone();
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    ModelStreamInferResponse response;
    ASSERT_TRUE(stream->Read(&response)) << i;
    EXPECT_EQ(response.infer_response().id(), std::to_string(i));
    EXPECT_EQ(response.error_message().empty(), i != 1) << response.error_message();
    EXPECT_EQ(response.infer_response().outputs_size() == 0, i == 1);
  }
  ModelStreamInferResponse none;
  EXPECT_FALSE(stream->Read(&none));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(GrpcServerTest, TellsAStreamThatItIsBusyAndGoesOn) {
  gate_.shut();
  const std::string picture = png(0);
  auto running = std::async(std::launch::async, [&] { return infer(question(picture)); });
  gate_.wait_for(1);
  ASSERT_TRUE(diagnoses_.submit([] {}));
  grpc::ClientContext context;
  set_deadline(context);
  const auto stream = stub_->ModelStreamInfer(&context);
  ModelStreamInferResponse response;
  ASSERT_TRUE(stream->Write(question(picture)));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_FALSE(response.error_message().empty());
  gate_.open();
  EXPECT_TRUE(running.get().ok());
  // The worker may not have put the last task away yet.
  do {
    ASSERT_TRUE(stream->Write(question(picture)));
    ASSERT_TRUE(stream->Read(&response));
  } while (!response.error_message().empty());
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(GrpcServerTest, AnswersWhatRunsAndEndsStreamsWhenToldToStop) {
  grpc::ClientContext context;
  set_deadline(context);
  const auto idle = stub_->ModelStreamInfer(&context);
  ModelStreamInferResponse response;
  ASSERT_TRUE(idle->Write(question(png(0))));
  ASSERT_TRUE(idle->Read(&response));

  gate_.shut();
  auto running = std::async(std::launch::async, [&] { return infer(question(png(1))); });
  gate_.wait_for(2);
  server_->stop();
  EXPECT_FALSE(idle->Read(&response));
  EXPECT_EQ(idle->Finish().error_code(), StatusCode::UNAVAILABLE);
  gate_.open();
  EXPECT_TRUE(running.get().ok());
  server_->wait();
  EXPECT_FALSE(infer(question(png(0))).ok());
}

TEST_F(GrpcServerTest, LetsCallsEndThatTakeTooLongToStop) {
  server_.reset();
  GrpcOptions impatient = options();
  impatient.drain_timeout = std::chrono::milliseconds(50);
  server_ = GrpcServer::start(impatient, inference_, diagnoses_).value();
  const auto stub = GRPCInferenceService::NewStub(grpc::CreateChannel(
      "127.0.0.1:" + std::to_string(server_->port()), grpc::InsecureChannelCredentials()));
  gate_.shut();
  auto running = std::async(std::launch::async, [&] {
    grpc::ClientContext context;
    set_deadline(context);
    ModelInferResponse response;
    return stub->ModelInfer(&context, question(png(0)), &response);
  });
  gate_.wait_for(1);
  server_->stop();
  EXPECT_FALSE(running.get().ok());
  gate_.open();
  server_->wait();
}

TEST_F(GrpcServerTest, SurvivesClientsThatLeave) {
  gate_.shut();
  {
    grpc::ClientContext context;
    const auto stream = stub_->ModelStreamInfer(&context);
    ASSERT_TRUE(stream->Write(question(png(0))));
    gate_.wait_for(1);
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), StatusCode::CANCELLED);
  }
  gate_.open();
  while (!infer(question(png(0))).ok()) std::this_thread::yield();
}

TEST_F(GrpcServerTest, SaysWhyItCannotListen) {
  GrpcOptions same = options();
  same.port = server_->port();
  const auto second = GrpcServer::start(same, inference_, diagnoses_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kIo);
  same.host = "no.such.host.invalid";
  EXPECT_EQ(GrpcServer::start(same, inference_, diagnoses_).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(server_->is_loopback());
}

TEST_F(GrpcServerTest, SpeaksTlsWithTheCertificateOfTheMoment) {
  std::mutex mutex;
  SelfSigned pair = make_self_signed();
  GrpcOptions secure = options();
  secure.certificate = [&] {
    const std::scoped_lock lock(mutex);
    return GrpcPem{pair.certificate, pair.key};
  };
  const auto server = GrpcServer::start(secure, inference_, diagnoses_).value();
  EXPECT_EQ(server->url(), "grpcs://127.0.0.1:" + std::to_string(server->port()));
  const auto is_live = [&](const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    grpc::ChannelArguments own;
    own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto stub = GRPCInferenceService::NewStub(
        grpc::CreateCustomChannel("localhost:" + std::to_string(server->port()), credentials, own));
    grpc::ClientContext context;
    set_deadline(context);
    inference::ServerLiveResponse response;
    return stub->ServerLive(&context, {}, &response).ok();
  };
  const auto trusting = [](const SelfSigned& trusted) {
    return grpc::SslCredentials({.pem_root_certs = trusted.certificate});
  };
  const SelfSigned first = pair;
  const SelfSigned second = make_self_signed();
  EXPECT_TRUE(is_live(trusting(first)));
  EXPECT_FALSE(is_live(trusting(second)));
  EXPECT_FALSE(is_live(grpc::InsecureChannelCredentials()));
  {
    const std::scoped_lock lock(mutex);
    pair = second;
  }
  EXPECT_TRUE(is_live(trusting(second)));
}

}  // namespace
}  // namespace xray::test
