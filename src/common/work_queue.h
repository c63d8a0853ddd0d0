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

/// A few threads with a bounded queue before them, first come, first served: as waits are
/// bounded, serving the newest first would only be unfair. Thread-safe.
class WorkQueue {
 public:
  /// At most `waiting` tasks wait while `workers` (at least 1) run. Where `max_wait` is not zero,
  /// fewer may: none that would wait longer than that, going by how long tasks took of late. Two
  /// a worker may always wait, so that no worker is ever idle for want of one.
  WorkQueue(int workers, int waiting, std::chrono::milliseconds max_wait = {});
  /// Finishes everything that was taken.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  /// Whether a task submitted now would be taken.
  bool has_room() const;

  /// How long a task submitted now would wait to be begun; zero until a first task has ended.
  std::chrono::milliseconds expected_wait() const;

  /// Takes the task, which must not throw; false, and the task is dropped, where
  /// there is no room.
  [[nodiscard]] bool submit(std::function<void()> task);

  /// submit() counts what it refuses; this, what was refused for want of has_room().
  void count_refused();
  QueueLoad load() const;

  /// Told how long each task waited, on the thread that is to run it: quick, thread-safe, nothing
  /// thrown. To be called before the first task is submitted.
  void observe_waits(std::function<void(std::chrono::duration<double>)> observer);

 private:
  struct Threads;
  std::unique_ptr<Threads> threads_;
};

}  // namespace xray
