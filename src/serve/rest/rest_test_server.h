#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "image/encode.h"
#include "serve/http/guard.h"
#include "serve/http/http_server.h"
#include "serve/http/test_client.h"
#include "serve/rest/open_inference_api.h"
#include "serve/rest/tensorflow_api.h"
#include "support/phantom.h"
#include "support/temp_dir.h"
#include "support/tiny_package.h"

namespace xray::test {

/// The whole server over the tiny model, with both protocols and up to four pictures at one time.
class RestTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kMaxBody = 4'000'000;

  RestTest() {
    HttpOptions options;
    options.port = 0;
    options.headers = security_headers();
    server_ = HttpServer::listen(options).value();
    readiness_.pass("nothing");
    std::vector<Route> routes = open_inference_.routes();
    for (Route& route : tensorflow_.routes()) routes.push_back(std::move(route));
    router_ = std::make_unique<Router>(std::move(routes), diagnoses_, RouterOptions{});
    thread_ = std::jthread([this] { server_->run(*router_); });
  }

  void TearDown() override {
    server_->stop();
    thread_.join();
    router_.reset();
  }

  Answer get(const std::string& target) { return TestClient(server_->port()).request("GET", target); }

  Answer post(const std::string& target, std::string_view body, std::vector<Header> headers = {}) {
    headers.push_back({"Content-Type", "application/json"});
    return TestClient(server_->port()).request("POST", target, headers, body);
  }

  /// A refusal, as clients of model servers read it: {"error": "..."}.
  static void expect_error(const Answer& answer, int status, const std::string& part) {
    EXPECT_EQ(answer.status, status) << answer.body;
    const std::string error = answer.json().at("error");
    EXPECT_NE(error.find(part), std::string::npos) << error;
  }

  static ModelSet tiny_models() {
    const TempDir temp;
    if (!write_tiny_package(temp / "tiny").ok()) throw std::runtime_error("no package");
    return ModelSet(served(make_diagnoser(temp / "tiny", {.max_pixels = 1'000'000}).value()));
  }

  static std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  /// What the diagnoser says of `picture`.
  Finding finding_of(std::string_view picture) {
    return models_.primary()->diagnoser->diagnose(std::as_bytes(std::span(picture))).value();
  }

  static std::string base64(std::string_view bytes) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    unsigned held = 0;
    int bits = 0;
    for (const char byte : bytes) {
      held = held << 8U | static_cast<unsigned char>(byte);
      for (bits += 8; bits >= 6; bits -= 6) text += kDigits[held >> static_cast<unsigned>(bits - 6) & 63U];
    }
    if (bits > 0) text += kDigits[held << static_cast<unsigned>(6 - bits) & 63U];
    while (text.size() % 4 != 0) text += '=';
    return text;
  }

  /// "[[0,1],[2,3]]": the gray levels of `picture`, row by row.
  static std::string json_rows(const Image& picture) {
    std::string rows;
    const auto width = static_cast<std::size_t>(picture.width());
    for (std::size_t i = 0; i < picture.pixels8().size(); ++i) {
      if (i % width == 0)
        rows += i == 0 ? "[" : "],[";
      else
        rows += ",";
      rows += std::to_string(picture.pixels8()[i]);
    }
    return "[" + rows + "]]";
  }

  const Image opaque_film_ = make_phantom({.width = 96, .height = 80, .opacity = 1});
  const std::string clear_ = text_of(encode_png(make_phantom()).value());
  const std::string opaque_ = text_of(encode_png(opaque_film_).value());
  const std::string too_small_ = text_of(encode_png(Image(8, 8, Image::Pixels8(64))).value());
  ModelSet models_ = tiny_models();
  Inference inference_{models_, {.max_pictures = 4}};
  Readiness readiness_;
  OpenInferenceApi open_inference_{inference_, readiness_, "1.2.3", kMaxBody};
  TensorFlowApi tensorflow_{inference_, kMaxBody};
  std::unique_ptr<HttpServer> server_;
  WorkQueue diagnoses_{1, 1};
  std::unique_ptr<Router> router_;
  std::jthread thread_;
};

}  // namespace xray::test
