#include "serve/log/log.h"

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

namespace xray {
namespace {

/// The default logger writes into a string while the object lives.
class LogCapture {
 public:
  explicit LogCapture(LogFormat format) : before_(spdlog::default_logger()) {
    auto log =
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_st>(text_));
    log->set_formatter(make_log_formatter(format));
    spdlog::set_default_logger(std::move(log));
  }
  ~LogCapture() { spdlog::set_default_logger(before_); }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  std::string text() const { return text_.str(); }
  nlohmann::json json() const { return nlohmann::json::parse(text_.str()); }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

TEST(Log, WritesAnObjectALine) {
  const LogCapture log(LogFormat::kJson);
  log_event(spdlog::level::info, "request",
            {{"route", "/a/{id}"}, {"status", std::int64_t{200}}, {"seconds", 0.25}});
  const auto line = log.json();
  EXPECT_EQ(line.at("level"), "info");
  EXPECT_EQ(line.at("msg"), "request");
  EXPECT_EQ(line.at("route"), "/a/{id}");
  EXPECT_EQ(line.at("status"), 200);
  EXPECT_EQ(line.at("seconds"), 0.25);
  EXPECT_EQ(line.at("ts").get<std::string>().size(), 24U);
  EXPECT_TRUE(log.text().ends_with("}\n"));
}

TEST(Log, EscapesWhatWouldBreakALine) {
  const LogCapture log(LogFormat::kJson);
  spdlog::warn("a \"b\"\n{{}} \xff {}", "\x01");
  EXPECT_EQ(std::ranges::count(log.text(), '\n'), 1);
  EXPECT_EQ(log.json().at("msg"), "a \"b\"\n{} \xEF\xBF\xBD \x01");
  EXPECT_EQ(log.json().at("level"), "warn");
}

TEST(Log, WritesNumbersThatJsonKnows) {
  const LogCapture log(LogFormat::kJson);
  log_event(spdlog::level::err, "odd", {{"x", std::nan("")}, {"y", 1e300}});
  EXPECT_EQ(log.json().at("x"), 0);
  EXPECT_EQ(log.json().at("level"), "error");
}

TEST(Log, WritesFactsAsKeyAndValueForPeople) {
  const LogCapture log(LogFormat::kText);
  log_event(spdlog::level::info, "two\nlines", {{"plain", "x-1"}, {"spaced", "a b"}, {"none", ""}});
  EXPECT_TRUE(log.text().ends_with("Z info two?lines plain=x-1 spaced=\"a b\" none=\"\"\n")) << log.text();
}

TEST(Log, PutsTheFactsOfAPieceOfWorkOnEveryLineOfIt) {
  const LogCapture log(LogFormat::kJson);
  {
    const LogScope request(std::vector<LogField>{{"request_id", "r1"}});
    log_event(spdlog::level::info, "inner", {{"step", std::int64_t{1}}});
    EXPECT_EQ(log.json().at("request_id"), "r1");
    EXPECT_EQ(log.json().at("step"), 1);
  }
  spdlog::info("outside");
  EXPECT_EQ(log.text().find("request_id", log.text().find("outside")), std::string::npos);
}

}  // namespace
}  // namespace xray
