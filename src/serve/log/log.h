#pragma once

#include <spdlog/common.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <variant>
#include <vector>

namespace xray {

/// What the lines of the log look like.
enum class LogFormat {
  kText,  ///< "2026-01-31T23:59:59.123Z info request method=GET status=200"
  kJson,  ///< {"ts":"2026-...","level":"info","msg":"request","method":"GET","status":200}
};

/// One fact beside a message. Nothing of a patient, a picture or its name belongs into one, nor
/// what a client wrote, unless it was checked: a path, a query.
struct LogField {
  std::string_view key;  ///< "request_id": a plain name
  std::variant<std::string_view, std::int64_t, double> value;
};

/// Facts that stand on every line this thread logs while the object lives. They nest; of the same
/// name both are written. What the views point at lives as long.
class LogScope {
 public:
  explicit LogScope(std::vector<LogField> fields);
  ~LogScope();
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;

 private:
  friend class LineFormatter;
  std::vector<LogField> fields_;
  const LogScope* outer_;
};

/// One line: the message, these facts, then those of the thread's scopes.
void log_event(spdlog::level::level_enum level, std::string_view message, std::vector<LogField> fields);

/// A formatter for spdlog's loggers that write on the thread which logs.
std::unique_ptr<spdlog::formatter> make_log_formatter(LogFormat format);

/// From here on the process logs to standard error in this format, from this level upwards.
void set_up_log(LogFormat format, spdlog::level::level_enum level);

/// "debug", "info", "warn", "error".
const char* log_level_name(spdlog::level::level_enum level);

}  // namespace xray
