#include "serve/metrics/observed_store.h"

#include <chrono>
#include <string_view>

namespace xray {
namespace {

template <typename Call>
auto observe(Metrics& metrics, std::string_view operation, const Call& call) {
  const auto since = std::chrono::steady_clock::now();
  auto result = call();
  metrics.on_store(operation, since, !result && result.error().code == ErrorCode::kStorage);
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

Result<FindingPage> ObservedStore::list(int limit, const std::optional<std::string>& before) {
  return observe(metrics_, "list", [&] { return store_.list(limit, before); });
}

Result<Done> ObservedStore::remove(const std::string& id) {
  return observe(metrics_, "remove", [&] { return store_.remove(id); });
}

Result<Done> ObservedStore::ping() {
  return observe(metrics_, "ping", [&] { return store_.ping(); });
}

}  // namespace xray
