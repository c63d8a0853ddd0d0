#include "serve/metrics/observed_store.h"

#include <chrono>
#include <string_view>

namespace xray {
namespace {

/// The database's, not of who asked: damaged, full, or locked by another program or away.
bool is_failure(ErrorCode code) {
  return code == ErrorCode::kStorage || code == ErrorCode::kIo || code == ErrorCode::kBusy;
}

template <typename Call>
auto observe(Metrics& metrics, std::string_view operation, const Call& call) {
  const auto since = std::chrono::steady_clock::now();
  auto result = call();
  metrics.on_store(operation, since, !result && is_failure(result.error().code));
  return result;
}

}  // namespace

Result<StoredFinding> ObservedStore::put(const Finding& finding, const std::string& file_name,
                                         std::span<const std::byte> picture) {
  return observe(metrics_, "put", [&] { return store_.put(finding, file_name, picture); });
}

Result<StoredFinding> ObservedStore::get(const std::string& id) {
  return observe(metrics_, "get", [&] { return store_.get(id); });
}

Result<Bytes> ObservedStore::picture(const std::string& id) {
  return observe(metrics_, "picture", [&] { return store_.picture(id); });
}

Result<FindingPage> ObservedStore::list(const FindingQuery& query) {
  return observe(metrics_, "list", [&] { return store_.list(query); });
}

Result<Done> ObservedStore::remove(const std::string& id) {
  return observe(metrics_, "remove", [&] { return store_.remove(id); });
}

Result<Done> ObservedStore::ping() {
  return observe(metrics_, "ping", [&] { return store_.ping(); });
}

}  // namespace xray
