#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "serve/models/model_repository.h"

namespace xray {

/// A thread that looks at the folder of models again and again and puts what has changed in place.
/// While it loads, everybody else goes on as before.
class ModelWatcher {
 public:
  /// `repository` is open; both outlive the watcher.
  ModelWatcher(ModelRepository& repository, ModelSet& models,
               std::chrono::milliseconds interval = std::chrono::seconds(1));
  /// Waits for a model that is being loaded.
  ~ModelWatcher();
  ModelWatcher(const ModelWatcher&) = delete;
  ModelWatcher& operator=(const ModelWatcher&) = delete;

  /// Looks at once, and again after the interval. From any thread; does not wait for it.
  void look_now();

 private:
  void run(const std::stop_token& stop);

  ModelRepository& repository_;
  ModelSet& models_;
  std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool asked_ = false;
  std::jthread thread_;
};

}  // namespace xray
