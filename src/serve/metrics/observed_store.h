#pragma once

#include "serve/metrics/metrics.h"
#include "store/store.h"

namespace xray {

/// A store whose calls are timed and whose errors are counted. Both arguments outlive it.
class ObservedStore final : public Store {
 public:
  ObservedStore(Store& store, Metrics& metrics) : store_(store), metrics_(metrics) {}

  Result<StoredFinding> put(const Finding& finding, const std::string& file_name,
                            std::span<const std::byte> picture) override;
  Result<StoredFinding> get(const std::string& id) override;
  Result<Bytes> picture(const std::string& id) override;
  Result<FindingPage> list(const FindingQuery& query) override;
  Result<Done> remove(const std::string& id) override;
  Result<Done> ping() override;

 private:
  Store& store_;
  Metrics& metrics_;
};

}  // namespace xray
