#include "common/work_queue.h"

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

namespace xray {

struct WorkQueue::Threads {
  Threads(int workers, int waiting) : limit(workers + waiting), pool(static_cast<std::size_t>(workers)) {}
  const int limit;
  std::atomic<int> taken{0};  ///< waiting and running
  boost::asio::thread_pool pool;
};

WorkQueue::WorkQueue(int workers, int waiting) : threads_(std::make_unique<Threads>(workers, waiting)) {}

WorkQueue::~WorkQueue() {
  threads_->pool.join();
}

bool WorkQueue::submit(std::function<void()> task) {
  if (threads_->taken.fetch_add(1) >= threads_->limit) {
    threads_->taken.fetch_sub(1);
    return false;
  }
  boost::asio::post(threads_->pool, [this, task = std::move(task)] {
    task();
    threads_->taken.fetch_sub(1);
  });
  return true;
}

}  // namespace xray
