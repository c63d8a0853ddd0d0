#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace xray {

/// How much goes on in a queue at this moment, and what it refused so far.
struct QueueLoad {
  int workers = 0;
  int limit = 0;  ///< of tasks that wait
  int running = 0;
  int waiting = 0;
  std::uint64_t refused = 0;
};

/// A few threads with a bounded queue before them. Thread-safe.
class WorkQueue {
 public:
  /// At most `waiting` tasks wait while `workers` (at least 1) run.
  WorkQueue(int workers, int waiting);
  /// Finishes everything that was taken.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  /// Takes the task, which must not throw; false, and the task is dropped, where
  /// the queue is full.
  [[nodiscard]] bool submit(std::function<void()> task);

  QueueLoad load() const;

  /// Told how long each task waited, on the thread that is to run it: quick, thread-safe, nothing
  /// thrown. To be called before the first task is submitted.
  void observe_waits(std::function<void(std::chrono::duration<double>)> observer);

 private:
  struct Threads;
  std::unique_ptr<Threads> threads_;
};

}  // namespace xray
