#include "serve/rest/tensorflow_api.h"

#include <gtest/gtest.h>

#include "serve/rest/rest_test_server.h"

namespace xray::test {
namespace {

using nlohmann::json;

constexpr const char* kPredict = "/v1/models/xray:predict";

class TensorFlowApiTest : public RestTest {
 protected:
  json b64(std::string_view picture) { return {{"b64", base64(picture)}}; }

  json predict(const json& request, const std::string& target = kPredict) {
    const Answer answer = post(target, request.dump());
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.status == 200 ? answer.json() : json();
  }
};

TEST_F(TensorFlowApiTest, TellsStatusAndMetadata) {
  const json status = {{"model_version_status",
                        {{{"version", "1"},
                          {"state", "AVAILABLE"},
                          {"status", {{"error_code", "OK"}, {"error_message", ""}}}}}}};
  EXPECT_EQ(get("/v1/models/xray").json(), status);
  EXPECT_EQ(get("/v1/models/tiny/versions/1").json(), status);
  for (const char* path : {"/v1/models/tiny/metadata", "/v1/models/tiny/versions/1/metadata"}) {
    const json told = get(path).json();
    EXPECT_EQ(told.at("model_spec"), json({{"name", "tiny"}, {"signature_name", ""}, {"version", "1"}}));
    const json signatures = told.at("metadata").at("signature_def").at("signature_def");
    EXPECT_EQ(signatures.at("serving_default").at("inputs").at("image").at("dtype"), "DT_STRING");
    EXPECT_EQ(signatures.at("pixels").at("inputs").at("pixels").at("dtype"), "DT_UINT8");
    EXPECT_EQ(signatures.at("pixels").at("outputs").at("normal").at("tensor_shape").at("dim")[1].at("size"),
              "1");
  }
}

TEST_F(TensorFlowApiTest, NamesModelsThatItDoesNotServe) {
  for (const char* path : {"/v1/models/adult", "/v1/models/tiny/versions/2", "/v1/models/adult/metadata",
                           "/v1/models/tiny/labels/stable", "/v1/models/tiny/labels/stable/metadata"})
    expect_error(get(path), 404, "no model");
  for (const char* path : {"/v1/models/adult:predict", "/v1/models/tiny/versions/2:predict",
                           "/v1/models/tiny/labels/stable:predict"})
    expect_error(post(path, json({{"instances", {b64(clear_)}}}).dump()), 404, "no model");
}

TEST_F(TensorFlowApiTest, PredictsInRows) {
  const Finding finding = finding_of(opaque_);
  for (const json& instance :
       {b64(opaque_), json({{"image", b64(opaque_)}}), json({{"image_bytes", b64(opaque_)}})}) {
    const json told = predict({{"instances", {instance, instance}}});
    ASSERT_EQ(told.at("predictions").size(), 2U);
    const json row = told.at("predictions")[1];
    EXPECT_NEAR(row.at("pneumonia")[0], finding.pneumonia / 100, 1e-6);
    EXPECT_NEAR(row.at("normal")[0], finding.normal / 100, 1e-6);
    EXPECT_EQ(row.at("verdict"), json({"pneumonia"}));
    EXPECT_EQ(json::parse(row.at("finding")[0].get<std::string>()).at("percent"),
              to_json(finding).at("percent"));
  }
  EXPECT_EQ(predict({{"instances", {b64(clear_)}}, {"signature_name", "serving_default"}},
                    "/v1/models/tiny/versions/1:predict")
                .at("predictions")[0]
                .at("verdict"),
            json({"normal"}));
}

TEST_F(TensorFlowApiTest, PredictsInColumns) {
  for (const json& inputs :
       {json::array({b64(clear_), b64(opaque_)}), json({{"image_bytes", {b64(clear_), b64(opaque_)}}})}) {
    const json told = predict({{"inputs", inputs}}).at("outputs");
    EXPECT_EQ(told.at("verdict"), json({json({"normal"}), json({"pneumonia"})}));
    EXPECT_EQ(told.at("pneumonia").size(), 2U);
  }
  EXPECT_EQ(predict({{"inputs", b64(clear_)}}).at("outputs").at("verdict").size(), 1U);
}

TEST_F(TensorFlowApiTest, ReadsArraysOfPixels) {
  const double expected = finding_of(opaque_).pneumonia / 100;
  const json rows = json::parse(json_rows(opaque_film_));
  for (const json& instance : {rows, json({{"pixels", rows}})}) {
    const json told = predict({{"instances", {instance, instance}}}).at("predictions");
    ASSERT_EQ(told.size(), 2U);
    EXPECT_NEAR(told[1].at("pneumonia")[0], expected, 1e-5);
  }
  for (const json& inputs : {json::array({rows}), json({{"pixels", json::array({rows})}})}) {
    const json told = predict({{"inputs", inputs}, {"signature_name", "pixels"}}).at("outputs");
    EXPECT_NEAR(told.at("pneumonia")[0][0], expected, 1e-5);
  }
}

TEST_F(TensorFlowApiTest, GivesRejectedPicturesNoNumbers) {
  const json row = predict({{"instances", {b64(too_small_)}}}).at("predictions")[0];
  EXPECT_EQ(row.at("verdict"), json({"rejected"}));
  EXPECT_TRUE(row.at("normal")[0].is_null());
  EXPECT_TRUE(row.at("pneumonia")[0].is_null());
}

TEST_F(TensorFlowApiTest, SaysWhatIsWrongWithARequest) {
  const auto refused = [&](const std::string& body, const std::string& part, int status = 400) {
    expect_error(post(kPredict, body), status, part);
  };
  const json rows = json::parse(json_rows(opaque_film_));
  const auto instances = [](const json& value) { return json({{"instances", value}}).dump(); };
  refused("", "JSON");
  refused("[]", "either");
  refused("{}", "either");
  refused(R"({"instances": [], "inputs": []})", "either");
  refused(R"({"instances": []})", "no picture");
  refused(R"({"instances": 7})", "instances is an array");
  refused(R"({"instances": ["x"]})", "a picture is");
  refused(R"({"instances": [{"b64": 7}]})", "the inputs are");
  refused(R"({"instances": [{"image": "x"}]})", "a picture is");
  refused(R"({"instances": [{"pixels": {"b64": ""}}]})", "pixels is an array");
  refused(R"({"instances": [{"b64": "%"}]})", "base64");
  refused(R"({"instances": [{"b64": "AAAA"}]})", "image[0]: the file is not a picture");
  refused(R"({"instances": [{"b64": "", "image": ""}]})", "the inputs are");
  refused(R"({"instances": [[1, 2], [3]]})", "length");
  refused(R"({"instances": [[1, 2], [3, 4]]})", "shape");
  refused(R"({"instances": [[[0.1, 0.5], [1, 0]]]})", "no gray level exceeds 1");
  refused(instances({{{"pixels", rows}}, b64(clear_)}), "not both");
  refused(instances({{{"pixels", rows}}, {{"pixels", {{1, 2}, {3, 4}}}}}), "one size");
  refused(R"({"inputs": {"image": [], "pixels": []}})", "the inputs are");
  refused(R"({"instances": [], "signature_name": 7})", "signature_name");
  refused(R"({"instances": [], "signature_name": "regress"})", "no such signature", 404);
  refused(instances(json(5, b64(clear_))), "at most 4", 413);
}

}  // namespace
}  // namespace xray::test
