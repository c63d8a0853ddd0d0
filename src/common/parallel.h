#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace xray {

/// `threads` where positive, else the number of cores this process may use; at least 1.
inline std::size_t thread_count(int threads) {
  return threads > 0 ? static_cast<std::size_t>(threads) : std::max(1U, std::thread::hardware_concurrency());
}

/// Calls `produce(i)` for i = 0..n-1 on `threads` threads (all cores where not
/// positive) and `consume(i, result)` on the calling thread, in the order of i.
/// `produce` must be safe to call from several threads at once.
///
/// Indices being produced or waiting for their turn never exceed `window` (at
/// least 1), which bounds the memory whatever n is; a window below the number of
/// threads leaves some of them idle.
///
/// An exception of `produce` is thrown here once all results before it were
/// consumed, one of `consume` at once; no thread outlives the call either way.
/// Returns false where `stop` was requested before everything was consumed:
/// calls of `produce` that have begun are waited for, their results dropped.
template <typename Produce, typename Consume>
bool parallel_ordered(std::size_t n, int threads, std::size_t window, Produce&& produce, Consume&& consume,
                      const std::stop_token& stop = {}) {
  using Out = std::invoke_result_t<Produce&, std::size_t>;
  /// Nothing yet, a result, or what `produce` threw instead.
  using Slot = std::variant<std::monostate, Out, std::exception_ptr>;

  std::mutex mutex;
  std::condition_variable room;
  std::condition_variable_any progress;
  std::vector<Slot> ring(std::clamp<std::size_t>(window, 1, std::max<std::size_t>(n, 1)));
  std::size_t next = 0;
  std::size_t consumed = 0;
  bool quit = false;

  const auto work = [&] {
    std::unique_lock lock(mutex);
    for (;;) {
      room.wait(lock, [&] { return quit || next == n || next < consumed + ring.size(); });
      if (quit || next == n) return;
      const std::size_t index = next++;
      lock.unlock();
      Slot slot;
      try {
        slot.template emplace<1>(produce(index));
      } catch (...) {
        slot.template emplace<2>(std::current_exception());
      }
      lock.lock();
      ring[index % ring.size()] = std::move(slot);
      if (index == consumed) progress.notify_one();
    }
  };

  /// Sends the workers home on every way out of this function.
  struct Crew {
    std::mutex& mutex;
    std::condition_variable& room;
    bool& quit;
    std::vector<std::jthread> workers;
    ~Crew() {
      {
        const std::lock_guard lock(mutex);
        quit = true;
      }
      room.notify_all();
    }
  } crew{mutex, room, quit, {}};
  const std::size_t workers = std::min({thread_count(threads), n, ring.size()});
  crew.workers.reserve(workers);
  for (std::size_t i = 0; i < workers; ++i) crew.workers.emplace_back(work);

  for (std::size_t index = 0; index < n; ++index) {
    Slot slot;
    {
      std::unique_lock lock(mutex);
      Slot& turn = ring[index % ring.size()];
      progress.wait(lock, stop, [&] { return turn.index() != 0; });
      if (stop.stop_requested()) return false;
      slot = std::exchange(turn, Slot{});
    }
    if (slot.index() == 2) std::rethrow_exception(std::get<2>(slot));
    consume(index, std::get<1>(std::move(slot)));
    {
      // Only now, so that a slow consumer holds the workers back.
      const std::lock_guard lock(mutex);
      consumed = index + 1;
    }
    room.notify_all();
  }
  return true;
}

}  // namespace xray
