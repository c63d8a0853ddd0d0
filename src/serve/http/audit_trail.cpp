#include "serve/http/audit_trail.h"

#include <spdlog/spdlog.h>

#include <iterator>
#include <utility>

#include "common/clock.h"
#include "serve/log/log.h"

namespace xray {
namespace {

constexpr std::chrono::milliseconds kWrite{500};
constexpr std::chrono::hours kForget{1};

}  // namespace

AuditTrail::AuditTrail(Accounts& accounts, int days)
    : accounts_(accounts),
      days_(days),
      forgetting_("forgetting what is old", kForget,
                  [this] {
                    if (const auto done = accounts_.forget_old(days_); !done)
                      spdlog::error("old entries of the audit trail stay: {}", done.error().message);
                  }),
      writer_("the audit trail", kWrite, [this] { flush(); }) {
  forgetting_.run_now();
}

AuditTrail::~AuditTrail() {
  flush();
}

void AuditTrail::record(std::string_view event, const Request& request, std::string object,
                        std::string account) {
  if (account.empty() && request.caller) account = request.caller->user_name;
  record({.id = {},
          .at = 0,
          .event = std::string(event),
          .account = std::move(account),
          .address = request.origin.address,
          .object = std::move(object),
          .request_id = request.id});
}

void AuditTrail::record(AuditEntry entry) {
  log_event(spdlog::level::info, "audit",
            {{"event", entry.event},
             {"account", entry.account},
             {"client", entry.address},
             {"object", entry.object},
             {"request_id", entry.request_id}});
  const std::scoped_lock lock(mutex_);
  if (waiting_.size() >= kMost) {
    if (!std::exchange(dropped_, true)) spdlog::error("the audit trail loses rows: its database takes none");
    return;
  }
  entry.at = unix_seconds();
  waiting_.push_back(std::move(entry));
}

void AuditTrail::flush() {
  const std::scoped_lock one_at_a_time(writing_);
  std::vector<AuditEntry> taken;
  {
    const std::scoped_lock lock(mutex_);
    taken.swap(waiting_);
    dropped_ = false;
  }
  if (taken.empty()) return;
  const auto written = accounts_.record(taken);
  if (written) return;
  spdlog::error("the audit trail waits: {}", written.error().message);
  const std::scoped_lock lock(mutex_);
  taken.insert(taken.end(), std::make_move_iterator(waiting_.begin()),
               std::make_move_iterator(waiting_.end()));
  waiting_.swap(taken);
}

}  // namespace xray
