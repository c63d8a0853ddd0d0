#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <span>
#include <vector>

namespace xray {

/// Lets callers who come at the same time have their work done in one go (group commit): while
/// one batch is under way the next one gathers, and one of its callers does it for all. Thread-safe.
template <typename Work>
class Together {
 public:
  /// The most that one batch holds.
  static constexpr std::size_t kMost = 64;

  /// Returns once `run` was called, by this thread or another, with `work` among its batch, or throws
  /// what that call threw. Calls of `run` never overlap.
  template <typename Run>
  void add(Work& work, const Run& run) {
    Waiting mine{&work};
    std::unique_lock lock(mutex_);
    waiting_.push_back(&mine);
    changed_.wait(lock, [&] { return mine.done || !busy_; });
    if (!mine.done) {
      busy_ = true;
      // Those who came first go first; the caller's own may be in a later batch, which it also does.
      while (!mine.done) run_batch(lock, run);
      busy_ = false;
      changed_.notify_all();
    }
    if (mine.failure) std::rethrow_exception(mine.failure);
  }

 private:
  struct Waiting {
    Work* work;
    bool done = false;
    std::exception_ptr failure{};
  };

  template <typename Run>
  void run_batch(std::unique_lock<std::mutex>& lock, const Run& run) {
    const std::size_t size = std::min(waiting_.size(), kMost);
    const std::vector<Waiting*> batch(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(size));
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(size));
    lock.unlock();
    std::vector<Work*> works;
    works.reserve(size);
    std::exception_ptr failure;
    try {
      for (const Waiting* waiting : batch) works.push_back(waiting->work);
      run(std::span<Work* const>(works));
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    for (Waiting* waiting : batch) {
      waiting->failure = failure;
      waiting->done = true;
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Waiting*> waiting_;
  bool busy_ = false;
};

}  // namespace xray
