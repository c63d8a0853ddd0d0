#include "serve/models/model_watcher.h"

#include <spdlog/spdlog.h>

#include <exception>
#include <utility>

namespace xray {

ModelWatcher::ModelWatcher(ModelRepository& repository, ModelSet& models, std::chrono::milliseconds interval)
    : repository_(repository),
      models_(models),
      interval_(interval),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

ModelWatcher::~ModelWatcher() {
  // Here and not in the thread's own destructor: the others' would have run first.
  thread_.request_stop();
  thread_.join();
}

void ModelWatcher::look_now() {
  {
    const std::scoped_lock lock(mutex_);
    asked_ = true;
  }
  wake_.notify_one();
}

void ModelWatcher::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, interval_, [this] { return asked_; });
      asked_ = false;
    }
    if (stop.stop_requested()) return;
    try {
      repository_.look([this](Catalogue catalogue) { models_.replace(std::move(catalogue)); });
    } catch (const std::exception& failure) {
      spdlog::error("looking at the models failed: {}", failure.what());
    }
  }
}

}  // namespace xray
