#pragma once

#include <chrono>
#include <stop_token>

namespace xray {

/// Turns the first SIGINT or SIGTERM into a request to stop; a second one ends the
/// process at once, as users expect. Call before any thread is started, so that
/// all of them inherit the blocked signals; later calls return the same token.
std::stop_token stop_on_interrupt();

/// Sleeps for `time`; true, at once, where SIGINT or SIGTERM comes meanwhile, which does nothing else then.
/// For a program that waits before it has other threads, or a handler of its own.
bool sleep_until_interrupt(std::chrono::milliseconds time);

}  // namespace xray
