#include "serve/http/findings_api.h"

#include "serve/http/account_api.h"
#include "store/sql.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "image/encode.h"
#include "serve/http/guard.h"
#include "serve/http/http_server.h"
#include "serve/http/models_api.h"
#include "serve/http/readiness.h"
#include "serve/http/static_files.h"
#include "serve/http/test_client.h"
#include "store/uuid.h"
#include "support/gate.h"
#include "support/phantom.h"

namespace xray::test {
namespace {

constexpr std::uint64_t kMaxBytes = 200'000;

/// The whole server over an empty store, with a diagnosis that says what its
/// picture's content asks for.
class FindingsApiTest : public testing::Test {
 protected:
  FindingsApiTest() {
    HttpOptions options;
    options.port = 0;
    options.headers = security_headers();
    server_ = HttpServer::listen(options).value();
    std::vector<Route> routes = api_.routes();
    std::ranges::copy(models_api_.routes(), std::back_inserter(routes));
    std::ranges::copy(health_routes(readiness_, *store_), std::back_inserter(routes));
    readiness_.pass("a test");
    std::ranges::copy(static_routes(page_), std::back_inserter(routes));
    router_ = std::make_unique<Router>(std::move(routes), diagnoses_, RouterOptions{});
    thread_ = std::jthread([this] { server_->run(*router_); });
  }

  void TearDown() override {
    gate_.open();
    server_->stop();
    thread_.join();
    router_.reset();
  }

  Answer request(const std::string& method, const std::string& target,
                 const std::vector<Header>& headers = {}, std::string_view body = {}) {
    return TestClient(server_->port()).request(method, target, headers, body);
  }

  Answer upload(std::string_view picture, const std::string& name = "a.png") {
    return request("POST", "/api/v1/findings", {{"Content-Type", "image/png"}, {"X-File-Name", name}},
                   picture);
  }

  /// An upload's id.
  std::string id_of(const Answer& answer) { return answer.json().at("id"); }

  static std::string phantom(int width = 448, int height = 384) {
    const Bytes png = encode_png(make_phantom({.width = width, .height = height})).value();
    return {reinterpret_cast<const char*>(png.data()), png.size()};
  }

  static void expect_problem(const Answer& answer, int status, const std::string& code) {
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_EQ(answer.header("Content-Type"), "application/problem+json");
    const auto json = answer.json();
    EXPECT_EQ(json.at("status"), status);
    EXPECT_EQ(json.at("code"), code);
    EXPECT_FALSE(json.at("type").get<std::string>().empty());
    EXPECT_FALSE(json.at("title").get<std::string>().empty());
    EXPECT_FALSE(json.at("detail").get<std::string>().empty());
  }

  Result<Finding> diagnose(std::span<const std::byte> bytes) {
    gate_.pass();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (const ErrorCode code : {ErrorCode::kNotAPicture, ErrorCode::kDamaged, ErrorCode::kUnsupported,
                                 ErrorCode::kUnusable, ErrorCode::kTooLarge, ErrorCode::kInternal})
      if (text == name(code)) return Error{code, "secret detail"};
    if (text == "throw") throw std::runtime_error("secret detail");
    Finding finding;
    finding.verdict = Verdict::kPneumonia;
    finding.pneumonia = 97.126;
    finding.normal = 100 - finding.pneumonia;
    finding.bacterial = 60;
    finding.viral = 40;
    finding.model = "fake 1";
    finding.timing.total = 12.345;
    finding.width = 448;
    finding.height = 384;
    if (text.starts_with("opaque ")) {
      finding.severity = Severity{.score = std::stod(std::string(text.substr(7))), .high = 18};
      finding.severity->margins = {.score = 4, .score_change = 1, .zone_change = 0.3, .extent_change = 5};
    }
    if (text != "no heat") finding.heat = {2, 2, {0.0F, 1.0F, 0.5F, 0.25F}};
    return finding;
  }

  static constexpr std::string_view kIndex = "<!doctype html>";
  static constexpr std::string_view kScript = "export {}";
  const std::vector<Asset> page_ = {
      {"/index.html", "text/html; charset=utf-8", std::as_bytes(std::span(kIndex)), "\"i1\""},
      {"/assets/main-1a2b.js", "text/javascript; charset=utf-8", std::as_bytes(std::span(kScript)),
       "\"s1\""}};

  Gate gate_;
  Readiness readiness_;
  std::unique_ptr<Store> store_ = open_store("sqlite::memory:").value();
  FindingsApi api_{[this](std::span<const std::byte> bytes) { return diagnose(bytes); },
                   *store_,
                   {.max_bytes = kMaxBytes}};
  /// What is told of the models asks none of them.
  ModelSet models_{
      std::make_shared<const ServedModel>(ServedModel{"fake", "1", nullptr, {{"name", "fake"}}})};
  ModelsApi models_api_{models_};
  std::unique_ptr<HttpServer> server_;
  WorkQueue diagnoses_{1, 1};
  std::unique_ptr<Router> router_;
  std::jthread thread_;
};

TEST_F(FindingsApiTest, ComparesTwoFindings) {
  const std::string before = id_of(upload("opaque 6.5"));
  const std::string after = id_of(upload("opaque 2"));
  const auto compare = [&](const std::string& body) {
    return request("POST", "/api/v1/comparisons", {{"Content-Type", "application/json"}}, body);
  };
  const auto pair = [](const std::string& one, const std::string& other) {
    return nlohmann::json{{"before", one}, {"after", other}}.dump();
  };
  const Answer answer = compare(pair(before, after));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto json = answer.json();
  EXPECT_EQ(json.at("change"), "better");
  EXPECT_EQ(json.at("score").at("change"), -4.5);
  EXPECT_EQ(json.at("score").at("beyond_noise"), true);
  EXPECT_EQ(json.at("zones").size(), 6U);
  EXPECT_EQ(json.at("before").at("id"), before);

  expect_problem(compare(pair(before, id_of(upload(phantom())))), 422, "unusable");
  expect_problem(compare(pair(before, "00000000-0000-7000-8000-000000000000")), 404, "not_found");
  for (const char* body : {"", "{", "[]", "null", R"({"before": 1, "after": 2})", R"({"before": "x"})"})
    expect_problem(compare(body), 400, "invalid_argument");
  expect_problem(compare(std::string(2000, ' ')), 413, "too_large");
}

TEST_F(FindingsApiTest, DrawsTheOutlinesOfTheHeat) {
  const std::string id = id_of(upload(phantom()));
  const std::string path = "/api/v1/findings/" + id + "/heatmap";
  const Answer contour = request("GET", path + "?max=112&layer=contour");
  ASSERT_EQ(contour.status, 200) << contour.body;
  EXPECT_EQ(contour.header("Content-Type"), "image/png");
  EXPECT_EQ(contour.header("Content-Disposition"), "inline; filename=\"" + id + "-contour.png\"");
  EXPECT_NE(contour.body, request("GET", path + "?max=112").body);
  EXPECT_NE(contour.header("ETag"), request("GET", path + "?max=112").header("ETag"));
  expect_problem(request("GET", path + "?layer=lungs"), 400, "invalid_argument");
}

TEST_F(FindingsApiTest, CreatesAFindingFromAForm) {
  const std::string body =
      "--b\r\nContent-Disposition: form-data; name=\"x\"; filename=\"R\xC3\xB6 1.png\"\r\n\r\n" + phantom() +
      "\r\n--b--\r\n";
  const Answer answer =
      request("POST", "/api/v1/findings", {{"Content-Type", "multipart/form-data; boundary=b"}}, body);
  ASSERT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  const auto json = answer.json();
  const std::string id = json.at("id");
  EXPECT_TRUE(is_uuid(id));
  EXPECT_EQ(answer.header("Location"), "/api/v1/findings/" + id);
  EXPECT_EQ(json.at("file"), "R\xC3\xB6 1.png");
  EXPECT_EQ(json.at("verdict"), "pneumonia");
  EXPECT_DOUBLE_EQ(json.at("percent").at("pneumonia"), 97.13);
  EXPECT_DOUBLE_EQ(json.at("subtype").at("bacterial"), 60);
  EXPECT_EQ(json.at("model"), "fake 1");
  EXPECT_EQ(json.at("picture").at("width"), 448);
  EXPECT_EQ(json.at("links").at("heatmap"), "/api/v1/findings/" + id + "/heatmap");
  EXPECT_EQ(request("GET", answer.header("Location")).json(), json);
}

TEST_F(FindingsApiTest, CreatesAFindingFromARawBody) {
  const Answer answer = upload(phantom(), "R%C3%B6.png");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.json().at("file"), "R\xC3\xB6.png");
}

TEST_F(FindingsApiTest, TellsEachKindOfBadPictureApart) {
  expect_problem(upload("not_a_picture"), 400, "not_a_picture");
  expect_problem(upload("damaged"), 400, "damaged");
  expect_problem(upload("unsupported"), 415, "unsupported");
  expect_problem(upload("unusable"), 422, "unusable");
  expect_problem(upload("too_large"), 413, "too_large");
  expect_problem(request("POST", "/api/v1/findings"), 400, "not_a_picture");
  expect_problem(request("POST", "/api/v1/findings", {{"Content-Type", "text/plain"}}, "x"), 415,
                 "unsupported");
  expect_problem(request("POST", "/api/v1/findings", {{"Content-Type", "multipart/form-data"}}, "x"), 400,
                 "invalid_argument");
  EXPECT_TRUE(request("GET", "/api/v1/findings").json().at("findings").empty());
}

TEST_F(FindingsApiTest, RefusesSeveralPicturesInOneRequest) {
  const std::string part = "--b\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\nx\r\n";
  const Answer answer = request("POST", "/api/v1/findings",
                                {{"Content-Type", "multipart/form-data; boundary=b"}}, part + part + "--b--");
  expect_problem(answer, 400, "invalid_argument");
  EXPECT_NE(answer.body.find("one picture"), std::string::npos);
}

TEST_F(FindingsApiTest, RefusesWhatIsLargerThanTheLimit) {
  expect_problem(upload(std::string(kMaxBytes + 1, 'x')), 413, "too_large");
  expect_problem(upload(std::string(kMaxBytes + 100'000, 'x')), 413, "too_large");
  EXPECT_EQ(upload(std::string(kMaxBytes, 'x')).status, 201);
}

TEST_F(FindingsApiTest, KeepsInternalFailuresToItself) {
  for (const char* picture : {"internal", "throw"}) {
    const Answer answer = upload(picture);
    expect_problem(answer, 500, "internal");
    EXPECT_EQ(answer.body.find("secret"), std::string::npos);
  }
}

TEST_F(FindingsApiTest, ListsPageByPageNewestFirst) {
  std::vector<std::string> ids;
  ids.reserve(3);
  for (int i = 0; i < 3; ++i) ids.push_back(id_of(upload("x")));
  const auto first = request("GET", "/api/v1/findings?limit=2").json();
  ASSERT_EQ(first.at("findings").size(), 2U);
  EXPECT_EQ(first.at("findings").at(0).at("id"), ids[2]);
  const std::string before = first.at("next_before");
  const auto second = request("GET", "/api/v1/findings?limit=2&before=" + before).json();
  ASSERT_EQ(second.at("findings").size(), 1U);
  EXPECT_EQ(second.at("findings").at(0).at("id"), ids[0]);
  EXPECT_TRUE(second.at("next_before").is_null());
}

TEST_F(FindingsApiTest, ListsByVerdictAndTime) {
  const std::string id = id_of(upload(phantom()));
  const std::string now = request("GET", "/api/v1/findings/" + id).json().at("created_at");
  const std::string day = now.substr(0, 10);
  const auto found = [&](const std::string& query) {
    return request("GET", "/api/v1/findings?" + query).json().at("findings").size();
  };
  EXPECT_EQ(found("verdict=pneumonia"), 1U);
  EXPECT_EQ(found("verdict=normal"), 0U);
  EXPECT_EQ(found("from=" + now), 1U);
  EXPECT_EQ(found("to=" + now), 0U);
  EXPECT_EQ(found("verdict=pneumonia&from=" + day + "&to=" + day), 1U);
  EXPECT_EQ(found("to=2026-01-31T00:00:00%2B01:00"), 0U);
  for (const char* query : {"verdict=maybe", "verdict=", "from=yesterday", "to=2026-02-30"})
    expect_problem(request("GET", std::string("/api/v1/findings?") + query), 400, "invalid_argument");
}

TEST_F(FindingsApiTest, RefusesParametersThatMakeNoSense) {
  for (const char* query :
       {"limit=0", "limit=201", "limit=x", "limit=", "limit=5x", "before=x", "limit=99999999999"})
    expect_problem(request("GET", std::string("/api/v1/findings?") + query), 400, "invalid_argument");
  const std::string id = id_of(upload(phantom()));
  for (const char* part : {"/image?max=0", "/image?max=16385", "/heatmap?max=-1", "/heatmap?max=5000"})
    expect_problem(request("GET", "/api/v1/findings/" + id + part), 400, "invalid_argument");
}

TEST_F(FindingsApiTest, DrawsThePictureAnew) {
  const std::string sent = phantom();
  const std::string id = id_of(upload(sent));
  const Answer answer = request("GET", "/api/v1/findings/" + id + "/image");
  ASSERT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Type"), "image/png");
  EXPECT_EQ(answer.header("Cache-Control"), "private, max-age=86400, immutable");
  EXPECT_EQ(answer.header("Content-Disposition"), "inline; filename=\"" + id + ".png\"");
  const Image shown = decode_image(std::as_bytes(std::span(answer.body))).value();
  const Image original = decode_image(std::as_bytes(std::span(sent))).value();
  EXPECT_TRUE(std::ranges::equal(shown.pixels8(), original.pixels8()));
}

TEST_F(FindingsApiTest, DrawsThumbnailsThatKeepTheShape) {
  const std::string id = id_of(upload(phantom()));
  const Answer answer = request("GET", "/api/v1/findings/" + id + "/image?max=112");
  const Image shown = decode_image(std::as_bytes(std::span(answer.body))).value();
  EXPECT_EQ(shown.width(), 112);
  EXPECT_EQ(shown.height(), 96);
  // Never larger than the picture is.
  const Answer large = request("GET", "/api/v1/findings/" + id + "/image?max=5000");
  EXPECT_EQ(decode_image(std::as_bytes(std::span(large.body))).value().width(), 448);
}

TEST_F(FindingsApiTest, DrawsTheHeatMapInThePicturesShape) {
  const std::string id = id_of(upload(phantom()));
  const Answer full = request("GET", "/api/v1/findings/" + id + "/heatmap");
  ASSERT_EQ(full.status, 200);
  EXPECT_EQ(full.header("Content-Type"), "image/png");
  const Image shown = decode_image(std::as_bytes(std::span(full.body))).value();
  EXPECT_EQ(shown.width(), 448);
  EXPECT_EQ(shown.height(), 384);
  const Answer small = request("GET", "/api/v1/findings/" + id + "/heatmap?max=112");
  EXPECT_EQ(decode_image(std::as_bytes(std::span(small.body))).value().height(), 96);
  expect_problem(request("GET", "/api/v1/findings/" + id_of(upload("no heat")) + "/heatmap"), 404,
                 "not_found");
}

TEST_F(FindingsApiTest, SparesTheClientPicturesItHas) {
  const std::string id = id_of(upload(phantom()));
  for (const char* part : {"/image", "/image?max=50", "/heatmap"}) {
    const std::string target = "/api/v1/findings/" + id + part;
    const std::string etag = request("GET", target).header("ETag");
    const Answer again = request("GET", target, {{"If-None-Match", etag}});
    EXPECT_EQ(again.status, 304) << part;
    EXPECT_EQ(again.header("ETag"), etag);
    EXPECT_EQ(request("GET", target, {{"If-None-Match", "\"other\""}}).status, 200);
  }
}

TEST_F(FindingsApiTest, DeletesFindingAndPicture) {
  const std::string target = "/api/v1/findings/" + id_of(upload(phantom()));
  const Answer answer = request("DELETE", target);
  EXPECT_EQ(answer.status, 204);
  EXPECT_TRUE(answer.body.empty());
  EXPECT_TRUE(answer.header("Content-Length").empty());
  for (const char* part : {"", "/image", "/heatmap"})
    expect_problem(request("GET", target + part), 404, "not_found");
  expect_problem(request("DELETE", target), 404, "not_found");
}

TEST_F(FindingsApiTest, AnswersHeadWhereItAnswersGet) {
  const std::string target = "/api/v1/findings/" + id_of(upload(phantom()));
  for (const std::string& path : {target, target + "/image", target + "/heatmap", std::string("/healthz"),
                                  std::string("/"), std::string("/api/v1/findings")}) {
    const Answer head = request("HEAD", path);
    EXPECT_EQ(head.status, 200) << path;
    EXPECT_EQ(head.header("Content-Length"), request("GET", path).header("Content-Length")) << path;
  }
}

TEST_F(FindingsApiTest, NamesTheMethodsAPathHas) {
  const Answer put = request("PUT", "/api/v1/findings");
  expect_problem(put, 405, "invalid_argument");
  EXPECT_EQ(put.header("Allow"), "POST, GET, HEAD");
  EXPECT_EQ(request("OPTIONS", "/api/v1/findings/x").header("Allow"), "GET, HEAD, DELETE");
  EXPECT_EQ(request("BREW", "/healthz").status, 405);
  EXPECT_EQ(request("POST", "/", {}, "x").status, 405);
}

TEST_F(FindingsApiTest, Knows404) {
  for (const char* path : {"/nothing", "/api/v1/findings/", "/api/v1/findings/a/b", "/../etc/passwd",
                           "/assets/", "/api/v1/findings/a/image/b"})
    expect_problem(request("GET", path), 404, "not_found");
}

TEST_F(FindingsApiTest, TellsToComeBackWhenTheQueueIsFull) {
  gate_.shut();
  TestClient running(server_->port());
  TestClient waiting(server_->port());
  const std::string post = "POST /api/v1/findings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx";
  running.send(post);
  gate_.wait_for(1);
  waiting.send(post);
  // The queue takes it in its own time; from then on there is no room.
  Answer third;
  do third = request("GET", "/healthz");
  while (third.status != 200);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  third = upload("x");
  expect_problem(third, 503, "busy");
  EXPECT_EQ(third.header("Retry-After"), "1");
  // Looking at findings needs no diagnosis.
  EXPECT_EQ(request("GET", "/api/v1/findings").status, 200);
  EXPECT_EQ(request("GET", "/readyz").status, 200);
  gate_.open();
  EXPECT_EQ(running.receive().status, 201);
  EXPECT_EQ(waiting.receive().status, 201);
}

TEST_F(FindingsApiTest, FinishesARunningDiagnosisWhenStopped) {
  gate_.shut();
  TestClient client(server_->port());
  client.send("POST /api/v1/findings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx");
  gate_.wait_for(1);
  server_->stop();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  gate_.open();
  EXPECT_EQ(client.receive().status, 201);
}

TEST_F(FindingsApiTest, KeepsOtherSitesOut) {
  expect_problem(request("POST", "/api/v1/findings", {{"Origin", "https://evil.example"}}, "x"), 403,
                 "invalid_argument");
  TestClient rebound(server_->port());
  rebound.send("GET /api/v1/findings HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  expect_problem(rebound.receive(), 421, "invalid_argument");
}

TEST_F(FindingsApiTest, PutsSecurityFieldsOnEveryAnswer) {
  for (const char* path : {"/", "/nothing", "/api/v1/findings", "/healthz"}) {
    const Answer answer = request("GET", path);
    for (const char* part : {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"})
      EXPECT_NE(answer.header("Content-Security-Policy").find(part), std::string::npos)
          << path << " " << part;
    EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), "") << path;
    EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff") << path;
    EXPECT_EQ(answer.header("X-Frame-Options"), "DENY") << path;
    EXPECT_EQ(answer.header("Referrer-Policy"), "no-referrer") << path;
  }
}

TEST_F(FindingsApiTest, TellsHealthModelAndItself) {
  EXPECT_EQ(request("GET", "/healthz").json().at("status"), "alive");
  EXPECT_EQ(request("GET", "/readyz").json().at("status"), "ready");
  EXPECT_EQ(request("GET", "/readyz").json().at("selftest"), "a test");
  EXPECT_EQ(request("GET", "/api/v1/model").json().at("name"), "fake");
  EXPECT_EQ(request("GET", "/api/v1/openapi.json").json().at("openapi"), "3.1.0");
}

TEST_F(FindingsApiTest, IsReadyFromItsSelfTestUntilItIsToldToStop) {
  readiness_.fail({ErrorCode::kBadModel, "self-test: picture 2 of 6"});
  expect_problem(request("GET", "/readyz"), 503, "bad_model");
  EXPECT_EQ(request("GET", "/readyz").json().at("detail"), "self-test: picture 2 of 6");
  EXPECT_EQ(request("GET", "/healthz").status, 200);
  readiness_.pass("6 pictures");
  EXPECT_EQ(request("GET", "/readyz").status, 200);
  readiness_.stop();
  readiness_.pass("too late");
  expect_problem(request("GET", "/readyz"), 503, "cancelled");
  EXPECT_EQ(Readiness().state().error().code, ErrorCode::kBusy);
}

TEST_F(FindingsApiTest, ExaminesAFileTheWayUploadsGo) {
  const auto diagnose_it = [this](std::span<const std::byte> bytes) { return diagnose(bytes); };
  const std::string film = phantom();
  const auto finding = examine_file(std::as_bytes(std::span(film)), {}, diagnose_it);
  ASSERT_TRUE(finding) << finding.error().message;
  EXPECT_EQ(finding->model, "fake 1");
  const std::string damaged = "damaged";
  EXPECT_EQ(examine_file(std::as_bytes(std::span(damaged)), {}, diagnose_it).error().code,
            ErrorCode::kDamaged);
  EXPECT_EQ(examine_file(std::as_bytes(std::span(film)), {.max_bytes = 10}, diagnose_it).error().code,
            ErrorCode::kTooLarge);
  EXPECT_EQ(examine_file({}, {}, diagnose_it).error().code, ErrorCode::kNotAPicture);
}

TEST_F(FindingsApiTest, TellsWhatBecameOfEveryModel) {
  Catalogue catalogue{models_.list(), {{"fake", {{"stable", "1"}, {"next", "2"}}}}, {}};
  catalogue.statuses = {{"fake", "1", "a", ModelState::kServing, "a change makes no sense"},
                        {"fake", "2", "b/2", ModelState::kRefused, "has no network"},
                        {"", "", "b/\xFF", ModelState::kLoading, ""}};
  models_.replace(catalogue);
  const auto json = request("GET", "/api/v1/models").json();
  EXPECT_EQ(json.at("canary_share"), 0);
  EXPECT_FALSE(json.contains("shadow"));
  ASSERT_EQ(json.at("models").size(), 3U);
  const auto first = nlohmann::json::parse(
      R"({"name": "fake", "version": "1", "package": "a", "state": "serving", "primary": true,
          "labels": ["stable"], "reason": "a change makes no sense"})");
  EXPECT_EQ(json.at("models").at(0), first);
  EXPECT_EQ(json.at("models").at(1).at("state"), "refused");
  EXPECT_EQ(json.at("models").at(1).at("labels").at(0), "next");
  EXPECT_EQ(json.at("models").at(2).at("state"), "loading");
  EXPECT_FALSE(json.at("models").at(2).contains("name"));
  const nlohmann::json::json_pointer item("/components/schemas/ModelList/properties/models/items");
  const auto schema = nlohmann::json::parse(openapi_document()).at(item);
  for (const auto& [key, value] : first.items()) EXPECT_TRUE(schema.at("properties").contains(key)) << key;
}

TEST_F(FindingsApiTest, ServesThePage) {
  const Answer page = request("GET", "/");
  EXPECT_EQ(page.body, kIndex);
  EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(page.header("Cache-Control"), "no-cache");
  EXPECT_EQ(request("GET", "/index.html").body, kIndex);
  EXPECT_EQ(request("GET", "/", {{"If-None-Match", "\"i1\""}}).status, 304);
  const Answer script = request("GET", "/assets/main-1a2b.js");
  EXPECT_EQ(script.body, kScript);
  EXPECT_EQ(script.header("Cache-Control"), "public, max-age=31536000, immutable");
}

TEST_F(FindingsApiTest, DocumentsExactlyItsRoutes) {
  const auto accounts = Accounts::open(sql::open_database("sqlite::memory:").value()).value();
  AuditTrail trail(*accounts, 1);
  Lock lock(*accounts, trail, {});
  Oidc provider({}, {});
  AccountApi account_api(*accounts, lock, trail, {.provider = &provider, .cost = {}});
  std::vector<Route> routes(router_->routes().begin(), router_->routes().end());
  std::ranges::copy(account_api.routes(), std::back_inserter(routes));
  const std::map<Permission, std::string> permissions = {
      {Permission::kOpen, "open"},         {Permission::kSelf, "self"},       {Permission::kRead, "read"},
      {Permission::kDiagnose, "diagnose"}, {Permission::kMetrics, "metrics"}, {Permission::kAdmin, "admin"}};
  std::set<std::string> served;
  for (const Route& route : routes)
    if (route.pattern.starts_with("/api/") || route.pattern.ends_with("z"))
      served.insert(std::string(route.method) + " " + std::string(route.pattern) + " " +
                    permissions.at(route.permission));
  std::set<std::string> documented;
  const auto document = nlohmann::json::parse(openapi_document());
  for (const auto& [path, item] : document.at("paths").items())
    for (const char* method : {"get", "post", "delete", "put", "patch"})
      if (item.contains(method)) {
        std::string upper(method);
        for (char& c : upper) c = static_cast<char>(std::toupper(c));
        documented.insert(upper + " " + path + " " + item[method].at("x-permission").get<std::string>());
      }
  EXPECT_EQ(documented, served);
}

TEST_F(FindingsApiTest, DocumentsTheFieldsOfAFinding) {
  const auto finding = upload(phantom()).json();
  const auto schema = nlohmann::json::parse(openapi_document()).at("components").at("schemas").at("Finding");
  for (const auto& [key, value] : finding.items()) EXPECT_TRUE(schema.at("properties").contains(key)) << key;
  for (const auto& key : schema.at("required")) EXPECT_TRUE(finding.contains(key)) << key;
}

}  // namespace
}  // namespace xray::test
