#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "auth/accounts.h"
#include "common/periodic.h"
#include "serve/http/http_message.h"

namespace xray {

/// Writes down who did what: a line in the log at once, and a row of the audit trail within half a second,
/// since a disk must not hold up who looks at findings. What the database does not take is kept for later, up
/// to kMost. Rows and lines hold names, addresses and ids alone. Thread-safe.
class AuditTrail {
 public:
  static constexpr std::size_t kMost = 100'000;

  /// Rows older than `days` are deleted every hour. `accounts` outlives the object.
  AuditTrail(Accounts& accounts, int days);
  ~AuditTrail();
  AuditTrail(const AuditTrail&) = delete;
  AuditTrail& operator=(const AuditTrail&) = delete;

  /// `event` is a name of the program's own, `object` an id or a checked name. `account` in place of the
  /// caller's.
  void record(std::string_view event, const Request& request, std::string object = {},
              std::string account = {});
  /// Where there is no request of HTTP's. Id and time are made here.
  void record(AuditEntry entry);

  /// Returns once all that was recorded is written, or cannot be.
  void flush();

 private:
  Accounts& accounts_;
  const int days_;
  std::mutex mutex_;
  std::mutex writing_;
  std::vector<AuditEntry> waiting_;
  bool dropped_ = false;
  Periodic forgetting_;
  Periodic writer_;
};

}  // namespace xray
