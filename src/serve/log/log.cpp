#include "serve/log/log.h"

#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "common/clock.h"
#include "common/text.h"

namespace xray {
namespace {

using Line = spdlog::memory_buf_t;

thread_local const LogScope* innermost = nullptr;

void add(Line& line, std::string_view text) {
  line.append(text.data(), text.data() + text.size());
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
}

/// As a string of JSON (RFC 8259) in ASCII; what is no UTF-8 becomes U+FFFD.
void add_quoted(Line& line, std::string_view text) {
  if (!is_plain(text))
    return add(line, nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
  add(line, "\"");
  add(line, text);
  add(line, "\"");
}

void add_value(Line& line, const LogField& field, LogFormat format) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    // A reader of key=value would cut others in two.
    const bool bare = format == LogFormat::kText && !text->empty() && is_plain(*text) &&
                      text->find_first_of(" =") == std::string_view::npos;
    bare ? add(line, *text) : add_quoted(line, *text);
  } else if (const auto* whole = std::get_if<std::int64_t>(&field.value)) {
    fmt::format_to(std::back_inserter(line), "{}", *whole);
  } else {
    const double number = std::get<double>(field.value);
    // JSON knows no infinities.
    fmt::format_to(std::back_inserter(line), "{:.6g}", std::isfinite(number) ? number : 0.0);
  }
}

}  // namespace

/// Writes a line with the facts of the thread that calls it.
class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(LogFormat format) : format_(format) {}

  void format(const spdlog::details::log_msg& message, Line& line) override {
    const std::string time = rfc3339(message.time);
    const std::string_view text(message.payload.data(), message.payload.size());
    const bool json = format_ == LogFormat::kJson;
    add(line, json ? R"({"ts":")" : "");
    add(line, time);
    add(line, json ? R"(","level":")" : " ");
    add(line, log_level_name(message.level));
    add(line, json ? R"(","msg":)" : " ");
    json ? add_quoted(line, text) : add(line, printable(std::string(text)));
    for (const LogScope* scope = innermost; scope != nullptr; scope = scope->outer_) {
      for (const LogField& field : scope->fields_) {
        add(line, json ? ",\"" : " ");
        add(line, field.key);
        add(line, json ? "\":" : "=");
        add_value(line, field, format_);
      }
    }
    add(line, json ? "}\n" : "\n");
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(format_);
  }

 private:
  LogFormat format_;
};

LogScope::LogScope(std::vector<LogField> fields)
    : fields_(std::move(fields)), outer_(std::exchange(innermost, this)) {}

LogScope::~LogScope() {
  innermost = outer_;
}

void log_event(spdlog::level::level_enum level, std::string_view message, std::vector<LogField> fields) {
  if (!spdlog::should_log(level)) return;
  const LogScope scope(std::move(fields));
  spdlog::log(level, "{}", message);
}

std::unique_ptr<spdlog::formatter> make_log_formatter(LogFormat format) {
  return std::make_unique<LineFormatter>(format);
}

void set_up_log(LogFormat format, spdlog::level::level_enum level) {
  auto log = spdlog::stderr_logger_mt("xray");
  log->set_formatter(make_log_formatter(format));
  log->set_level(level);
  spdlog::set_default_logger(std::move(log));
}

const char* log_level_name(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warn";
    default:
      return "error";
  }
}

}  // namespace xray
