#include "common/work_queue.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <mutex>

namespace xray {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

/// Weight of the last task in the mean: the mean forgets what is some dozen tasks old.
constexpr double kNews = 1.0 / 8;

}  // namespace

struct WorkQueue::Threads {
  Threads(int count, int most_waiting, std::chrono::milliseconds longest_wait)
      : workers(count),
        waiting(most_waiting),
        max_wait(longest_wait),
        pool(static_cast<std::size_t>(std::max(count, 1))) {}

  const int workers;
  const int waiting;
  const Seconds max_wait;
  mutable std::mutex mutex;
  int taken = 0;          ///< waiting and running
  Seconds task_takes{0};  ///< mean of late; zero: nothing is known yet
  std::uint64_t refused = 0;
  std::function<void(Seconds)> on_wait;
  boost::asio::thread_pool pool;

  /// One worker after the other comes free, on average every task_takes / workers.
  Seconds expected_wait() const { return std::max(0, taken - workers + 1) * task_takes / workers; }
  bool has_room() const {
    if (taken >= workers + waiting) return false;
    return taken < 3 * workers || max_wait == Seconds(0) || expected_wait() <= max_wait;
  }
  void ended(Seconds took) {
    const std::lock_guard lock(mutex);
    --taken;
    task_takes = task_takes == Seconds(0) ? took : task_takes + (took - task_takes) * kNews;
  }
};

WorkQueue::WorkQueue(int workers, int waiting, std::chrono::milliseconds max_wait)
    : threads_(std::make_unique<Threads>(workers, waiting, max_wait)) {}

WorkQueue::~WorkQueue() {
  threads_->pool.join();
}

bool WorkQueue::has_room() const {
  const std::lock_guard lock(threads_->mutex);
  return threads_->has_room();
}

std::chrono::milliseconds WorkQueue::expected_wait() const {
  const std::lock_guard lock(threads_->mutex);
  return std::chrono::ceil<std::chrono::milliseconds>(threads_->expected_wait());
}

bool WorkQueue::submit(std::function<void()> task) {
  {
    const std::lock_guard lock(threads_->mutex);
    if (!threads_->has_room()) {
      ++threads_->refused;
      return false;
    }
    ++threads_->taken;
  }
  boost::asio::post(threads_->pool, [this, task = std::move(task), taken = Clock::now()] {
    const Clock::time_point begin = Clock::now();
    if (threads_->on_wait) threads_->on_wait(begin - taken);
    task();
    threads_->ended(Clock::now() - begin);
  });
  return true;
}

void WorkQueue::count_refused() {
  const std::lock_guard lock(threads_->mutex);
  ++threads_->refused;
}

QueueLoad WorkQueue::load() const {
  const std::lock_guard lock(threads_->mutex);
  const int running = std::min(threads_->taken, threads_->workers);
  return {threads_->workers, threads_->waiting, running, threads_->taken - running, threads_->refused};
}

void WorkQueue::observe_waits(std::function<void(std::chrono::duration<double>)> observer) {
  threads_->on_wait = std::move(observer);
}

}  // namespace xray
