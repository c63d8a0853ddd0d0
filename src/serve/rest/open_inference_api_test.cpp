#include "serve/rest/open_inference_api.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <span>
#include <thread>

#include "serve/rest/rest_test_server.h"

namespace xray::test {
namespace {

using nlohmann::json;

constexpr const char* kInfer = "/v2/models/xray/infer";
constexpr const char* kJsonSize = "Inference-Header-Content-Length";

class OpenInferenceApiTest : public RestTest {
 protected:
  /// A request for one picture in JSON.
  json request_for(std::string_view picture) {
    return {{"inputs",
             {{{"name", "image"}, {"datatype", "BYTES"}, {"shape", {1}}, {"data", {base64(picture)}}}}}};
  }

  /// JSON and binary data behind it.
  Answer post_binary(const json& head, std::string_view binary, const std::string& target = kInfer) {
    const std::string text = head.dump();
    return post(target, text + std::string(binary), {{kJsonSize, std::to_string(text.size())}});
  }

  static json output(const json& answer, std::string_view name) {
    for (const json& tensor : answer.at("outputs"))
      if (tensor.at("name") == name) return tensor;
    return nullptr;
  }

  /// `text` behind its length, as BYTES have it.
  static std::string element(std::string_view text) {
    const auto length = static_cast<std::uint32_t>(text.size());
    std::string bytes(sizeof length, '\0');
    std::memcpy(bytes.data(), &length, sizeof length);
    return bytes.append(text);
  }
};

TEST_F(OpenInferenceApiTest, TellsWhatItServes) {
  EXPECT_EQ(get("/v2").json(),
            json({{"name", "xray"}, {"version", "1.2.3"}, {"extensions", {"binary_tensor_data"}}}));
  for (const char* path :
       {"/v2/health/live", "/v2/health/ready", "/v2/models/xray/ready", "/v2/models/tiny/versions/1/ready"})
    EXPECT_EQ(get(path).status, 200) << path;
  const json model = get("/v2/models/tiny").json();
  EXPECT_EQ(model.at("name"), "tiny");
  EXPECT_EQ(model.at("versions"), json({"1"}));
  EXPECT_EQ(model.at("inputs")[0], json({{"name", "image"}, {"datatype", "BYTES"}, {"shape", {-1}}}));
  EXPECT_EQ(model.at("outputs").size(), 4U);
  EXPECT_EQ(get("/v2/models/xray/versions/1").json().at("name"), "xray");
  EXPECT_EQ(post("/v2/repository/index", "{}").json(),
            json::array({{{"name", "tiny"}, {"version", "1"}, {"state", "READY"}, {"reason", ""}}}));
  EXPECT_EQ(post("/v2/repository/index", "").status, 200);
}

TEST_F(OpenInferenceApiTest, NamesModelsThatItDoesNotServe) {
  for (const char* path : {"/v2/models/adult", "/v2/models/adult/ready", "/v2/models/tiny/versions/9",
                           "/v2/models/tiny/versions/9/ready", "/v2/models/a%22b"})
    expect_error(get(path), 404, "no model");
  expect_error(post("/v2/models/adult/infer", request_for(clear_).dump()), 404, "no model adult");
  expect_error(post("/v2/models/tiny/versions/2/infer", request_for(clear_).dump()), 404, "version 2");
  expect_error(get("/v2/models"), 404, "nothing");
  expect_error(get("/v2/models/xray/infer"), 405, "POST");
}

TEST_F(OpenInferenceApiTest, ReadsPicturesInJson) {
  json request = request_for(opaque_);
  request["id"] = "film 7";
  const Answer answer = post("/v2/models/tiny/versions/1/infer", request.dump());
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  EXPECT_EQ(answer.header(kJsonSize), "");
  const json told = answer.json();
  EXPECT_EQ(told.at("model_name"), "tiny");
  EXPECT_EQ(told.at("model_version"), "1");
  EXPECT_EQ(told.at("id"), "film 7");
  const Finding finding = finding_of(opaque_);
  EXPECT_EQ(output(told, "pneumonia").at("shape"), json({1, 1}));
  EXPECT_EQ(output(told, "pneumonia").at("datatype"), "FP32");
  EXPECT_NEAR(output(told, "pneumonia").at("data")[0], finding.pneumonia / 100, 1e-6);
  EXPECT_NEAR(output(told, "normal").at("data")[0], finding.normal / 100, 1e-6);
  EXPECT_EQ(output(told, "verdict").at("data"), json({"pneumonia"}));
  EXPECT_EQ(json::parse(output(told, "finding").at("data")[0].get<std::string>()).at("percent"),
            to_json(finding).at("percent"));
}

TEST_F(OpenInferenceApiTest, ReadsAndWritesBinaryData) {
  const std::string pictures = element(clear_) + element(opaque_);
  const json head = {{"inputs",
                      {{{"name", "image"},
                        {"datatype", "BYTES"},
                        {"shape", {2}},
                        {"parameters", {{"binary_data_size", pictures.size()}}}}}},
                     {"outputs",
                      {{{"name", "verdict"}, {"parameters", {{"binary_data", true}}}},
                       {{"name", "normal"}},
                       {{"name", "pneumonia"}, {"parameters", {{"binary_data", true}}}}}}};
  const Answer answer = post_binary(head, pictures);
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.header("Content-Type"), "application/octet-stream");
  const std::size_t size = std::stoul(answer.header(kJsonSize));
  const json told = json::parse(answer.body.substr(0, size));
  ASSERT_EQ(told.at("outputs").size(), 3U);
  EXPECT_TRUE(told.at("outputs")[1].contains("data"));
  const std::string verdicts = element("normal") + element("pneumonia");
  EXPECT_EQ(told.at("outputs")[0].at("parameters").at("binary_data_size"), verdicts.size());
  EXPECT_EQ(answer.body.substr(size, verdicts.size()), verdicts);
  const std::string scores = answer.body.substr(size + verdicts.size());
  float score[2] = {};
  ASSERT_EQ(scores.size(), sizeof score);
  std::memcpy(score, scores.data(), sizeof score);
  EXPECT_NEAR(score[0], finding_of(clear_).pneumonia / 100, 1e-6);
  EXPECT_NEAR(score[1], finding_of(opaque_).pneumonia / 100, 1e-6);
}

TEST_F(OpenInferenceApiTest, SendsAllAsBinaryDataWhereAsked) {
  json request = request_for(clear_);
  request["parameters"] = {{"binary_data_output", true}};
  const Answer answer = post(kInfer, request.dump());
  ASSERT_EQ(answer.status, 200) << answer.body;
  const json told = json::parse(answer.body.substr(0, std::stoul(answer.header(kJsonSize))));
  for (const json& tensor : told.at("outputs")) EXPECT_FALSE(tensor.contains("data"));
  request["outputs"] = {{{"name", "verdict"}, {"parameters", {{"binary_data", false}}}}};
  EXPECT_EQ(post(kInfer, request.dump()).json().at("outputs")[0].at("data"), json({"normal"}));
}

TEST_F(OpenInferenceApiTest, TakesABodyThatIsThePictureItself) {
  const Answer answer = post(kInfer, opaque_, {{kJsonSize, "0"}});
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_NE(answer.body.find("pneumonia"), std::string::npos);
}

TEST_F(OpenInferenceApiTest, ReadsPixelsOfEveryForm) {
  const std::string levels(reinterpret_cast<const char*>(opaque_film_.pixels8().data()),
                           opaque_film_.pixels8().size());
  json head = {{"inputs",
                {{{"name", "pixels"},
                  {"datatype", "UINT8"},
                  {"shape", {1, opaque_film_.height(), opaque_film_.width()}}}}},
               {"outputs", {{{"name", "pneumonia"}}}}};
  const double expected = finding_of(opaque_).pneumonia / 100;
  const auto score = [](const Answer& answer) -> double {
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.status == 200 ? answer.json().at("outputs")[0].at("data")[0].get<double>() : -1;
  };
  json& input = head["inputs"][0];
  input["parameters"]["binary_data_size"] = levels.size();
  EXPECT_NEAR(score(post_binary(head, levels)), expected, 1e-6);
  input.erase("parameters");
  input["data"] = json::array({json::parse(json_rows(opaque_film_))});
  EXPECT_NEAR(score(post(kInfer, head.dump())), expected, 1e-6);
  input["data"] = opaque_film_.pixels8();
  for (const char* type : {"UINT8", "INT32", "INT64", "FP32", "FP64"}) {
    input["datatype"] = type;
    EXPECT_NEAR(score(post(kInfer, head.dump())), expected, 1e-5) << type;
  }
  input["datatype"] = "FP16";
  expect_error(post(kInfer, head.dump()), 415, "FP16");
  input["datatype"] = "UINT8";
  input["data"][0] = 256;
  expect_error(post(kInfer, head.dump()), 400, "datatype");
  input["data"] = {1, 2};
  expect_error(post(kInfer, head.dump()), 400, "bytes came");
}

TEST_F(OpenInferenceApiTest, GivesRejectedPicturesNoNumbers) {
  const json told = post(kInfer, request_for(too_small_).dump()).json();
  EXPECT_EQ(output(told, "verdict").at("data"), json({"rejected"}));
  EXPECT_TRUE(output(told, "normal").at("data")[0].is_null());
  EXPECT_TRUE(output(told, "pneumonia").at("data")[0].is_null());
}

TEST_F(OpenInferenceApiTest, SaysWhatIsWrongWithARequest) {
  const auto input_with = [&](const char* key, const json& value) {
    json request = request_for(clear_);
    request["inputs"][0][key] = value;
    return request.dump();
  };
  expect_error(post(kInfer, ""), 400, "JSON");
  expect_error(post(kInfer, "[]"), 400, "object");
  expect_error(post(kInfer, "{}"), 400, "one input");
  expect_error(post(kInfer, R"({"inputs": 7})"), 400, "inputs is an array");
  expect_error(post(kInfer, R"({"inputs": [7]})"), 400, "inputs is an array");
  expect_error(post(kInfer, R"({"inputs": ["x"]})"), 400, "inputs is an array");
  expect_error(post(kInfer, R"({"id": 7, "inputs": []})"), 400, "id is a text");
  expect_error(post(kInfer, R"({"inputs": [{"name": "image"}]})"), 400, "datatype is missing");
  expect_error(post(kInfer, input_with("name", "input_1")), 400, "there is no input 'input_1'");
  expect_error(post(kInfer, input_with("datatype", "STRING")), 400, "datatype");
  expect_error(post(kInfer, input_with("shape", "1")), 400, "shape");
  expect_error(post(kInfer, input_with("shape", {2})), 400, "holds 1 strings");
  expect_error(post(kInfer, input_with("shape", {1.5})), 400, "shape");
  expect_error(post(kInfer, input_with("shape", {-1})), 400, "shape");
  expect_error(post(kInfer, input_with("data", {"%%"})), 400, "base64");
  expect_error(post(kInfer, input_with("data", {7})), 400, "base64");
  expect_error(post(kInfer, input_with("data", {"AAAA"})), 400, "image[0]: the file is not a picture");
  expect_error(post(kInfer, input_with("data", nullptr)), 400, "either data or");
  expect_error(post(kInfer, input_with("parameters", {{"shared_memory_region", "x"}})), 415, "shared_memory");
  expect_error(post(kInfer, input_with("parameters", {{"content_type", "str"}})), 415, "base64");
  expect_error(post(kInfer, R"({"inputs": [], "outputs": [{"name": "heat"}]})"), 400, "no output 'heat'");
  json five = request_for(clear_);
  five["inputs"][0]["shape"] = {5};
  expect_error(post(kInfer, five.dump()), 413, "at most 4");
  expect_error(post(kInfer, std::string(kMaxBody + 1, ' ')), 413, "larger");
}

TEST_F(OpenInferenceApiTest, TakesNoBinaryDataThatDoesNotFit) {
  const auto head = [](std::size_t size) -> json {
    return {{"inputs",
             {{{"name", "image"},
               {"datatype", "BYTES"},
               {"shape", {1}},
               {"parameters", {{"binary_data_size", size}}}}}}};
  };
  const std::string picture = element(clear_);
  EXPECT_EQ(post_binary(head(picture.size()), picture).status, 200);
  expect_error(post_binary(head(picture.size() + 1), picture), 400, "binary_data_size");
  expect_error(post_binary(head(picture.size() - 1), picture), 400, "more bytes came");
  expect_error(post_binary(head(picture.size() - 1), picture.substr(0, picture.size() - 1)), 400,
               "ends before its length");
  for (const char* size : {"", "x", "-1", "999999999", "18446744073709551616"})
    expect_error(post(kInfer, "{}", {{kJsonSize, size}}), 400, kJsonSize);
  expect_error(post(kInfer, "{}", {{"Content-Encoding", "gzip"}}), 415, "compressed");
}

/// Holds every diagnosis up until it is opened.
class Barrier final : public FindingObserver {
 public:
  void on_finding(const ServedModel&, std::span<const std::byte>, const Result<Finding>&) override {
    ++arrived_;
    open_.wait(false);
  }
  void open() {
    open_ = true;
    open_.notify_all();
  }
  void wait_for_one() const {
    while (arrived_ == 0) std::this_thread::yield();
  }

 private:
  std::atomic<bool> open_ = false;
  std::atomic<int> arrived_ = 0;
};

TEST_F(OpenInferenceApiTest, TellsClientsToComeBackWhereTooManyWait) {
  Barrier barrier;
  models_.add_observer(barrier);
  const std::string request = request_for(clear_).dump();
  // One is worked on, one waits; of three more two find no place.
  std::vector<Answer> answers(4);
  {
    std::vector<std::jthread> clients;
    clients.emplace_back([&] { answers[0] = post(kInfer, request); });
    barrier.wait_for_one();
    std::atomic<int> refused = 0;
    for (std::size_t i = 1; i < answers.size(); ++i)
      clients.emplace_back([&, i] {
        answers[i] = post(kInfer, request);
        if (answers[i].status == 503 && ++refused == 2) barrier.open();
      });
  }
  EXPECT_EQ(std::ranges::count(answers, 503, &Answer::status), 2);
  EXPECT_EQ(std::ranges::count(answers, 200, &Answer::status), 2);
  for (const Answer& answer : answers) {
    if (answer.status != 503) continue;
    EXPECT_FALSE(answer.header("Retry-After").empty());
    expect_error(answer, 503, "wait");
  }
}

TEST_F(OpenInferenceApiTest, KeepsOtherSitesOut) {
  expect_error(post(kInfer, request_for(clear_).dump(), {{"Origin", "https://example.org"}}), 403, "sites");
  expect_error(post("/v1/models/xray:predict", "{}", {{"Sec-Fetch-Site", "cross-site"}}), 403, "sites");
}

}  // namespace
}  // namespace xray::test
