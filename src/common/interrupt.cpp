#include "common/interrupt.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <thread>

namespace xray {

std::stop_token stop_on_interrupt() {
  static std::stop_source source;
  // A thread that waits for the signals may lock and allocate; a handler may not.
  static const bool started = [] {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::thread([signals] {
      int signal = 0;
      sigwait(&signals, &signal);
      source.request_stop();
      sigwait(&signals, &signal);
      ::_exit(128 + signal);
    }).detach();
    return true;
  }();
  static_cast<void>(started);
  return source.get_token();
}

bool sleep_until_interrupt(std::chrono::milliseconds time) {
  sigset_t signals;
  sigset_t before;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, &before);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const timespec rest{.tv_sec = seconds.count(), .tv_nsec = std::chrono::nanoseconds(time - seconds).count()};
  const bool came = sigtimedwait(&signals, nullptr, &rest) > 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return came;
}

}  // namespace xray
