#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>

namespace xray {

/// Slows down who guesses. After a few failures under one key, the next attempt has to wait, twice as long
/// each time, up to a limit: never for good, and what is refused meanwhile counts for nothing. Forgets keys
/// after a day without failure, and the oldest where there are too many. Thread-safe.
class Attempts {
 public:
  using Clock = std::chrono::steady_clock;
  struct Limits {
    int free = 5;                   ///< failures before there is any delay
    std::chrono::seconds first{1};  ///< delay after the next
    std::chrono::seconds longest{300};
    std::size_t keys = 10'000;
  };

  Attempts() : Attempts(Limits{}) {}
  explicit Attempts(Limits limits) : limits_(limits) {}

  /// How long to wait until the next attempt; zero where it may be made.
  std::chrono::milliseconds delay(const std::string& key, Clock::time_point now = Clock::now());
  void failed(const std::string& key, Clock::time_point now = Clock::now());
  void succeeded(const std::string& key);

 private:
  struct Record {
    int failures = 0;
    Clock::time_point last;
    Clock::time_point until;
  };
  void make_room(Clock::time_point now);

  const Limits limits_;
  std::mutex mutex_;
  std::unordered_map<std::string, Record> records_;
};

/// So many a minute under each key, and as many at once after a pause. Thread-safe.
class RateLimit {
 public:
  using Clock = std::chrono::steady_clock;
  /// 0: no limit.
  explicit RateLimit(int per_minute, std::size_t keys = 20'000) : per_minute_(per_minute), most_keys_(keys) {}

  /// Counts one more; zero where it is within the limit, else how long to wait.
  std::chrono::milliseconds take(const std::string& key, Clock::time_point now = Clock::now());

 private:
  struct Bucket {
    double left = 0;
    Clock::time_point at;
  };
  const int per_minute_;
  const std::size_t most_keys_;
  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;
};

/// What counts as one client: an IPv4 address, or the /64 of an IPv6 address, which belongs to one customer.
std::string client_key(const std::string& address);

}  // namespace xray
