#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string_view>
#include <thread>
#include <utility>

#include <spdlog/spdlog.h>

namespace xray {

/// Does something again and again, in a thread of its own, and at once when asked to. Ends with the object,
/// once what runs has ended. Thread-safe.
class Periodic {
 public:
  /// `task` may throw, which is logged under `name`, of static storage.
  Periodic(std::string_view name, std::chrono::milliseconds interval, std::function<void()> task)
      : name_(name),
        interval_(interval),
        task_(std::move(task)),
        thread_([this](const std::stop_token& stop) { run(stop); }) {}
  ~Periodic() {
    // Here and not in the thread's own destructor: the others' would have run first.
    thread_.request_stop();
    thread_.join();
  }
  Periodic(const Periodic&) = delete;
  Periodic& operator=(const Periodic&) = delete;

  void run_now() {
    {
      const std::scoped_lock lock(mutex_);
      asked_ = true;
    }
    wake_.notify_one();
  }

 private:
  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop, interval_, [this] { return asked_; });
        asked_ = false;
      }
      if (stop.stop_requested()) return;
      try {
        task_();
      } catch (const std::exception& failure) {
        spdlog::error("{}: {}", name_, failure.what());
      }
    }
  }

  const std::string_view name_;
  const std::chrono::milliseconds interval_;
  const std::function<void()> task_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool asked_ = false;
  std::jthread thread_;
};

}  // namespace xray
