#include "serve/models/shadow.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <new>
#include <utility>

#include "common/text.h"
#include "serve/models/version_order.h"

namespace xray {
namespace {

/// Between two looks whether few enough answers are being made.
constexpr std::chrono::milliseconds kPause{2};

/// On Linux it is the calling thread alone whose priority that is.
void give_way() {
  constexpr int kNicest = 19;
  if (::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNicest) != 0)
    spdlog::warn("the shadow's thread cannot be given a lower priority");
}

void log_counts(const ShadowCounts& counts) {
  if (counts.taken + counts.dropped == 0) return;
  spdlog::info(
      "shadow {} against {}: {} pictures, {} with the same verdict, percentages {:.2f} apart on average, {} "
      "failed, {} dropped",
      printable(counts.shadow), printable(counts.primary), counts.compared, counts.agreed,
      counts.mean_difference(), counts.failed, counts.dropped);
}

}  // namespace

Result<ShadowTarget> parse_shadow_target(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  ShadowTarget target{std::string(text.substr(0, colon)), {}};
  if (colon < text.size()) target.which = text.substr(colon + 1);
  if (target.name.empty() || (colon < text.size() && target.which.empty()))
    return Error{ErrorCode::kInvalidArgument,
                 "'" + std::string(text) + "' is not NAME, NAME:VERSION or NAME:LABEL"};
  return target;
}

Shadow::Shadow(const ModelSet& models, ShadowTarget target, const ShadowOptions& options)
    : models_(models),
      target_(std::move(target)),
      options_(options),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

Shadow::~Shadow() {
  thread_.request_stop();
  thread_.join();
  log_counts(counts_);
}

Result<ModelHandle> Shadow::asked() const {
  auto found = models_.find(target_.name, target_.which);
  if (!target_.which.empty()) return found ? found : models_.find_label(target_.name, target_.which);
  if (!found) return found;
  for (const ModelHandle& model : models_.list())
    if (model->name == (*found)->name && is_older((*found)->version, model->version)) *found = model;
  return found;
}

void Shadow::on_finding(const ServedModel& model, std::span<const std::byte> picture,
                        const Result<Finding>& finding) {
  if (!finding || picture.empty() || &model != models_.primary().get()) return;
  const auto shadow = asked();
  if (!shadow || shadow->get() == &model) return;
  if (options_.share < 100 && share_of(picture, 1) >= options_.share) return;
  if (!reserve(model.id(), (*shadow)->id(), picture.size())) return;
  try {
    // Copied without the lock: other answers do not queue up behind it.
    Task task{*shadow, model.id(), Bytes(picture.begin(), picture.end()), finding->verdict,
              finding->pneumonia};
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(std::move(task));
  } catch (const std::bad_alloc&) {
    const std::scoped_lock lock(mutex_);
    --counts_.taken;
    ++counts_.dropped;
    release(picture.size());
    return;
  }
  wake_.notify_one();
}

bool Shadow::reserve(const std::string& primary, const std::string& shadow, std::size_t size) {
  const std::scoped_lock lock(mutex_);
  count_for(primary, shadow);
  if (reserved_ == options_.max_waiting || size > options_.max_bytes - reserved_bytes_) {
    ++counts_.dropped;
    return false;
  }
  ++counts_.taken;
  ++reserved_;
  reserved_bytes_ += size;
  return true;
}

void Shadow::release(std::size_t size) {
  --reserved_;
  reserved_bytes_ -= size;
}

ShadowCounts Shadow::snapshot() const {
  const std::scoped_lock lock(mutex_);
  return counts_;
}

void Shadow::count_for(const std::string& primary, const std::string& shadow) {
  if (counts_.primary == primary && counts_.shadow == shadow) return;
  log_counts(counts_);
  counts_ = {};
  counts_.primary = primary;
  counts_.shadow = shadow;
  logged_ = 0;
}

void Shadow::run(const std::stop_token& stop) {
  give_way();
  auto log_at = std::chrono::steady_clock::now() + options_.log_interval;
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    wake_.wait_until(lock, stop, log_at, [this] { return !waiting_.empty(); });
    if (std::chrono::steady_clock::now() >= log_at) {
      if (counts_.compared != logged_) log_counts(counts_);
      logged_ = counts_.compared;
      log_at += options_.log_interval;
    }
    if (waiting_.empty()) continue;
    if (models_.running() > options_.max_busy) {
      wake_.wait_for(lock, stop, kPause, [] { return false; });
      continue;
    }
    Task task = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    compare(task);
    const std::size_t size = task.picture.size();
    // The last handle may go here, and with it the model: not under the lock.
    task = {};
    lock.lock();
    release(size);
  }
}

void Shadow::compare(const Task& task) {
  const Result<Finding> finding = [&]() -> Result<Finding> {
    try {
      return task.model->diagnoser->diagnose(task.picture);
    } catch (const std::exception& failure) {
      return Error{ErrorCode::kInternal, failure.what()};
    }
  }();
  const std::scoped_lock lock(mutex_);
  // Another version may have taken the place of either since.
  if (counts_.primary != task.primary || counts_.shadow != task.model->id()) return;
  if (!finding) {
    ++counts_.failed;
    return;
  }
  ++counts_.compared;
  if (finding->verdict == task.verdict) ++counts_.agreed;
  if (finding->is_rejected() || task.verdict == Verdict::kRejected) return;
  ++counts_.measured;
  counts_.difference_sum += std::abs(finding->pneumonia - task.pneumonia);
}

}  // namespace xray
