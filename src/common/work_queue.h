#pragma once

#include <functional>
#include <memory>

namespace xray {

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

 private:
  struct Threads;
  std::unique_ptr<Threads> threads_;
};

}  // namespace xray
