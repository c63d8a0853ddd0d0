#include "serve/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "image/encode.h"
#include "serve/http/readiness.h"
#include "serve/http/test_client.h"
#include "serve/metrics/observed_store.h"
#include "serve/metrics/sources.h"
#include "support/phantom.h"
#include "support/temp_dir.h"
#include "support/tiny_package.h"

namespace xray::test {
namespace {

using testing::HasSubstr;

/// What a scrape holds: series as they are written -> value.
using Series = std::map<std::string, double>;

/// The value of "a{b=\"c\"}" in a series' labels; they may stand in any order.
bool has_labels(const std::string& series, const std::vector<std::string>& labels) {
  return std::ranges::all_of(labels, [&](const std::string& label) {
    const std::size_t at = series.find(label);
    return at != std::string::npos && (series[at - 1] == '{' || series[at - 1] == ',');
  });
}

/// The one series of that name with those labels; NaN where there is none.
double value_of(const Series& series, const std::string& name, const std::vector<std::string>& labels = {}) {
  for (const auto& [text, value] : series)
    if (text.substr(0, text.find('{')) == name && has_labels(text, labels)) return value;
  return std::nan("");
}

/// The family that a sample belongs to, by the suffixes of histograms.
std::string family_of(const std::string& name, const std::map<std::string, std::string>& types) {
  for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
    if (!name.ends_with(suffix)) continue;
    const std::string family = name.substr(0, name.size() - suffix.size());
    const auto found = types.find(family);
    if (found != types.end() && found->second == "histogram") return family;
  }
  return name;
}

/// Checks a scrape as promtool would: the grammar of the text format, each family in one piece with
/// its help and type before it, no series twice, counters named _total, whole histograms.
Series check_exposition(const std::string& text) {
  EXPECT_TRUE(text.ends_with("\n"));
  const std::string name = "[a-zA-Z_:][a-zA-Z0-9_:]*";
  const std::string label = R"([a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*")";
  const std::regex help("# HELP (" + name + ") [^\n]+");
  const std::regex type("# TYPE (" + name + ") (counter|gauge|histogram)");
  const std::regex sample("((" + name + ")(?:\\{((?:" + label + ",?)*)\\})?) (\\S+)");
  std::map<std::string, std::string> types;
  std::set<std::string> helped;
  std::set<std::string> finished;
  std::string current;
  Series series;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch found;
    if (std::regex_match(line, found, help)) {
      EXPECT_TRUE(helped.insert(found[1]).second) << line;
    } else if (std::regex_match(line, found, type)) {
      EXPECT_TRUE(helped.contains(found[1])) << line;
      EXPECT_TRUE(types.emplace(found[1], found[2]).second) << line;
      EXPECT_EQ(found[2] == "counter", found.str(1).ends_with("_total")) << line;
    } else if (std::regex_match(line, found, sample)) {
      const std::string family = family_of(found[2], types);
      EXPECT_TRUE(types.contains(family)) << line;
      if (family != current) {
        EXPECT_TRUE(finished.insert(family).second) << "in two pieces: " << line;
        current = family;
      }
      std::size_t read = 0;
      const double value = std::stod(found[4], &read);
      EXPECT_EQ(read, found.str(4).size()) << line;
      EXPECT_TRUE(series.emplace(found[1], value).second) << "twice: " << line;
    } else {
      ADD_FAILURE() << "no line of the format: " << line;
    }
  }
  // Buckets rise with their bounds, and the last holds all.
  const std::regex bucket("(" + name + ")_bucket\\{(.*),?le=\"([^\"]+)\"(.*)\\}");
  std::map<std::string, std::map<double, double>> histograms;
  for (const auto& [written, value] : series) {
    std::smatch found;
    if (std::regex_match(written, found, bucket))
      histograms[found.str(1) + "{" + found.str(2) + found.str(4)][std::stod(found[3])] = value;
  }
  for (const auto& [labels, buckets] : histograms) {
    EXPECT_TRUE(std::isinf(buckets.rbegin()->first)) << labels;
    double before = 0;
    for (const auto& [bound, count] : buckets) {
      EXPECT_GE(count, before) << labels;
      before = count;
    }
    const std::string family = labels.substr(0, labels.find('{'));
    std::string rest = labels.substr(labels.find('{') + 1);
    if (rest.ends_with(',')) rest.pop_back();
    const std::string written = family + "_count" + (rest.empty() ? "" : "{" + rest + "}");
    const auto count = series.find(written);
    EXPECT_TRUE(count != series.end() && count->second == before) << written;
  }
  return series;
}

Finding rejected() {
  Finding finding;
  finding.verdict = Verdict::kRejected;
  finding.reasons = {Reason::kUpsideDown};
  return finding;
}

/// A server over a real model, as xray serve puts one together.
class MetricsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(write_tiny_package(dir_ / "tiny"));
    models_ = std::make_unique<ModelSet>(served(make_diagnoser(dir_ / "tiny").value()));
    models_->add_observer(metrics_);
    HttpOptions options;
    options.port = 0;
    options.observer = &metrics_;
    server_ = HttpServer::listen(options).value();
    std::vector<Route> routes = health_routes(readiness_, store_);
    routes.push_back(metrics_route(metrics_));
    routes.push_back({"POST", "/films/{id}", Permission::kOpen, Lane::kDiagnosis, 1'000'000,
                      [this](const Request& request, const PathParameters&) -> Response {
                        const auto finding = models_->diagnose(*models_->primary(), request.body);
                        if (finding) (void)store_.put(*finding, "DOE_JANE", request.body);
                        return {finding ? 201 : 400};
                      }});
    routes.push_back(
        {"GET", "/assets/main-1a2b.js", Permission::kOpen, Lane::kAtOnce, 0,
         [](const Request&, std::string_view) -> Response { return {200, {}, std::string("x")}; }});
    router_ = std::make_unique<Router>(std::move(routes), *diagnoses_, RouterOptions{});
    diagnoses_->observe_waits([this](auto wait) { metrics_.on_wait(wait); });
    metrics_.add_source(http_source(*server_));
    metrics_.add_source(queue_source("diagnosis", *diagnoses_));
    metrics_.add_source(queue_source("lookup", router_->lookups()));
    metrics_.add_source(model_source(*models_));
    metrics_.add_source(readiness_source(readiness_));
    metrics_.add_source(process_source("1.2.3"));
    thread_ = std::thread([this] { server_->run(*router_); });
  }

  void TearDown() override {
    server_->stop();
    thread_.join();
    diagnoses_.reset();
    router_.reset();
  }

  Answer request(const std::string& method, const std::string& target, std::string_view body = {}) {
    return TestClient(server_->port()).request(method, target, {}, body);
  }

  Series scrape() { return check_exposition(request("GET", "/metrics").body); }

  static std::string film() {
    const Bytes png = encode_png(make_phantom({.opacity = 1})).value();
    return {reinterpret_cast<const char*>(png.data()), png.size()};
  }

  TempDir dir_;
  Metrics metrics_;
  Readiness readiness_;
  std::unique_ptr<Store> kept_ = open_store("sqlite::memory:").value();
  ObservedStore store_{*kept_, metrics_};
  std::unique_ptr<ModelSet> models_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<WorkQueue> diagnoses_ = std::make_unique<WorkQueue>(2, 7);
  std::unique_ptr<Router> router_;
  std::thread thread_;
};

TEST_F(MetricsTest, CountsRequestsByTheirRoute) {
  EXPECT_EQ(request("POST", "/films/1", film()).status, 201);
  EXPECT_EQ(request("POST", "/films/2", film()).status, 201);
  EXPECT_EQ(request("POST", "/films/3", "no film").status, 400);
  EXPECT_EQ(request("GET", "/assets/main-1a2b.js").status, 200);
  EXPECT_EQ(request("GET", "/DOE_JANE").status, 404);
  EXPECT_EQ(request("BREW", "/DOE_JANE").status, 404);
  const std::string text = request("GET", "/metrics").body;
  const Series series = check_exposition(text);
  const std::string films = "route=\"/films/{id}\"";
  EXPECT_EQ(value_of(series, "xray_http_requests_total", {films, "status=\"201\"", "method=\"POST\""}), 2);
  EXPECT_EQ(value_of(series, "xray_http_requests_total", {films, "status=\"400\""}), 1);
  EXPECT_EQ(value_of(series, "xray_http_request_duration_seconds_count", {films}), 3);
  EXPECT_EQ(value_of(series, "xray_http_requests_total", {"route=\"/assets/{file}\""}), 1);
  EXPECT_EQ(value_of(series, "xray_http_response_bytes_total", {"route=\"/assets/{file}\""}), 1);
  EXPECT_EQ(value_of(series, "xray_http_requests_total", {"route=\"unmatched\"", "method=\"GET\""}), 1);
  EXPECT_EQ(value_of(series, "xray_http_requests_total", {"route=\"unmatched\"", "method=\"other\""}), 1);
  EXPECT_EQ(text.find("DOE"), std::string::npos);
}

TEST_F(MetricsTest, CountsFindingsAndWhereTheirTimeGoes) {
  request("POST", "/films/1", film());
  request("POST", "/films/2", "no film");
  metrics_.on_finding(*models_->primary(), {}, rejected());
  const Series series = scrape();
  const std::string tiny = "model=\"tiny\"";
  EXPECT_EQ(value_of(series, "xray_findings_total", {tiny, "version=\"1\"", "verdict=\"pneumonia\""}), 1);
  EXPECT_EQ(value_of(series, "xray_findings_total", {tiny, "verdict=\"normal\""}), 0);
  EXPECT_EQ(value_of(series, "xray_findings_total", {tiny, "verdict=\"rejected\""}), 1);
  EXPECT_EQ(
      value_of(series, "xray_finding_reasons_total", {"reason=\"upside_down\"", "verdict=\"rejected\""}), 1);
  EXPECT_EQ(value_of(series, "xray_finding_failures_total", {"code=\"not_a_picture\""}), 1);
  EXPECT_EQ(value_of(series, "xray_finding_pneumonia_ratio_count", {tiny}), 1);
  EXPECT_EQ(value_of(series, "xray_finding_pneumonia_ratio_bucket", {"le=\"0.5\""}), 0);
  const auto stage = [&](const std::string& name) {
    return value_of(series, "xray_stage_duration_seconds_count", {"stage=\"" + name + "\""});
  };
  EXPECT_EQ(stage("queue_wait"), 2);
  EXPECT_EQ(stage("decode"), 1);
  EXPECT_EQ(stage("store"), 1);
  // A rejection takes its time, too.
  EXPECT_EQ(stage("infer"), 2);
  EXPECT_EQ(stage("total"), 2);
}

TEST_F(MetricsTest, TellsWhatGoesOnNow) {
  readiness_.pass("a test");
  const Series series = scrape();
  EXPECT_EQ(value_of(series, "xray_http_connections"), 1);
  EXPECT_EQ(value_of(series, "xray_http_requests_in_flight"), 1);
  EXPECT_EQ(value_of(series, "xray_http_held_bytes"), 0);
  EXPECT_EQ(value_of(series, "xray_queue_waiting_limit", {"queue=\"diagnosis\""}), 7);
  EXPECT_EQ(value_of(series, "xray_queue_running", {"queue=\"lookup\""}), 1);
  EXPECT_EQ(value_of(series, "xray_overload_refusals_total", {"limit=\"diagnosis_queue\""}), 0);
  EXPECT_EQ(value_of(series, "xray_model_info", {"name=\"tiny\"", "version=\"1\"", "precision=\"fp32\""}), 1);
  EXPECT_EQ(value_of(series, "xray_build_info", {"version=\"1.2.3\""}), 1);
  EXPECT_EQ(value_of(series, "xray_ready"), 1);
  EXPECT_GT(value_of(series, "process_resident_memory_bytes"), 1e6);
  EXPECT_GT(value_of(series, "process_open_fds"), 3);
  EXPECT_GT(value_of(series, "process_cpu_seconds_total"), 0);
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  EXPECT_NEAR(value_of(series, "process_start_time_seconds"), now.count(), 600);
  readiness_.stop();
  EXPECT_EQ(value_of(scrape(), "xray_ready"), 0);
}

TEST_F(MetricsTest, CountsWhatTheStoreFailsAtAndNotWhatItLacks) {
  struct Broken final : Store {
    static Error error() { return {ErrorCode::kStorage, "disk full"}; }
    Result<StoredFinding> put(const Finding&, const std::string&, std::span<const std::byte>) override {
      return error();
    }
    Result<StoredFinding> get(const std::string&) override { return Error{ErrorCode::kNotFound, "none"}; }
    Result<Bytes> picture(const std::string&) override { return error(); }
    Result<FindingPage> list(const FindingQuery&) override { return error(); }
    Result<Done> remove(const std::string&) override { return error(); }
    Result<Done> ping() override { return error(); }
  } broken;
  ObservedStore observed(broken, metrics_);
  EXPECT_FALSE(observed.put({}, "", {}));
  EXPECT_FALSE(observed.get(""));
  EXPECT_FALSE(observed.picture(""));
  EXPECT_FALSE(observed.list({}));
  EXPECT_FALSE(observed.remove(""));
  EXPECT_FALSE(observed.ping());
  const Series series = scrape();
  for (const char* operation : {"put", "picture", "list", "remove", "ping"})
    EXPECT_EQ(value_of(series, "xray_store_errors_total", {std::string("operation=\"") + operation + "\""}),
              1);
  EXPECT_EQ(value_of(series, "xray_store_errors_total", {"operation=\"get\""}), 0);
}

TEST(Metrics, EscapesWhatAModelIsCalled) {
  Metrics metrics;
  metrics.add_source([](Gathered& out) {
    out.gauge("xray_test", "Help.", 0.5, {{"name", "a \"quoted\"\nname \\"}});
    out.counter("xray_test_total", "Help.", 3);
  });
  const Series series = check_exposition(metrics.text());
  EXPECT_EQ(series.at(R"(xray_test{name="a \"quoted\"\nname \\"})"), 0.5);
  EXPECT_EQ(series.at("xray_test_total"), 3);
}

TEST(Metrics, IsCountedFromManyThreads) {
  Metrics metrics;
  const ServedModel model{"m", "1", nullptr, {}};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) {
          metrics.on_finding(model, {}, rejected());
          metrics.on_exchange({"GET", "/a", 200, 1, std::chrono::milliseconds(1)});
          if (i % 100 == 0) (void)metrics.text();
        }
      });
  }
  const Series series = check_exposition(metrics.text());
  EXPECT_EQ(value_of(series, "xray_http_requests_total", {"route=\"/a\""}), 2000);
  EXPECT_EQ(value_of(series, "xray_finding_reasons_total"), 2000);
}

}  // namespace
}  // namespace xray::test
