#include "serve/http/work_queue.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

namespace xray {

struct WorkQueue::Threads {
  Threads(int worker_count, int waiting)
      : workers(worker_count), limit(worker_count + waiting), pool(static_cast<std::size_t>(worker_count)) {}
  const int workers;
  const int limit;
  std::atomic<int> taken{0};  ///< waiting and running
  std::atomic<int> running{0};
  std::atomic<std::uint64_t> refused{0};
  std::function<void(std::chrono::duration<double>)> on_wait;
  boost::asio::thread_pool pool;
};

WorkQueue::WorkQueue(int workers, int waiting) : threads_(std::make_unique<Threads>(workers, waiting)) {}

WorkQueue::~WorkQueue() {
  threads_->pool.join();
}

bool WorkQueue::submit(std::function<void()> task) {
  if (threads_->taken.fetch_add(1) >= threads_->limit) {
    threads_->taken.fetch_sub(1);
    threads_->refused.fetch_add(1);
    return false;
  }
  boost::asio::post(threads_->pool, [this, task = std::move(task), since = std::chrono::steady_clock::now()] {
    threads_->running.fetch_add(1);
    if (threads_->on_wait) threads_->on_wait(std::chrono::steady_clock::now() - since);
    task();
    threads_->running.fetch_sub(1);
    threads_->taken.fetch_sub(1);
  });
  return true;
}

QueueLoad WorkQueue::load() const {
  // Read one after the other: a task may come or go in between.
  const int running = threads_->running;
  const int waiting = std::clamp(threads_->taken - running, 0, threads_->limit - threads_->workers);
  return {threads_->workers, threads_->limit - threads_->workers, running, waiting, threads_->refused};
}

void WorkQueue::observe_waits(std::function<void(std::chrono::duration<double>)> observer) {
  threads_->on_wait = std::move(observer);
}

}  // namespace xray
