#include "auth/attempts.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v6.hpp>

namespace xray {
namespace {

using std::chrono::milliseconds;
constexpr std::chrono::hours kForget{24};

}  // namespace

milliseconds Attempts::delay(const std::string& key, Clock::time_point now) {
  const std::scoped_lock lock(mutex_);
  const auto found = records_.find(key);
  if (found == records_.end() || found->second.until <= now) return milliseconds(0);
  return std::chrono::ceil<milliseconds>(found->second.until - now);
}

void Attempts::make_room(Clock::time_point now) {
  std::erase_if(records_, [now](const auto& entry) { return now - entry.second.last > kForget; });
  if (records_.size() < limits_.keys) return;
  records_.erase(std::ranges::min_element(
      records_, [](const auto& a, const auto& b) { return a.second.last < b.second.last; }));
}

void Attempts::failed(const std::string& key, Clock::time_point now) {
  const std::scoped_lock lock(mutex_);
  if (records_.size() >= limits_.keys && !records_.contains(key)) make_room(now);
  Record& record = records_[key];
  if (now - record.last > kForget) record.failures = 0;
  record.last = now;
  ++record.failures;
  if (record.failures <= limits_.free) return;
  const int doublings = std::min(record.failures - limits_.free - 1, 30);
  record.until = now + std::min<std::chrono::seconds>(limits_.longest, limits_.first * (1LL << doublings));
}

void Attempts::succeeded(const std::string& key) {
  const std::scoped_lock lock(mutex_);
  records_.erase(key);
}

milliseconds RateLimit::take(const std::string& key, Clock::time_point now) {
  if (per_minute_ <= 0) return milliseconds(0);
  const std::scoped_lock lock(mutex_);
  const double most = per_minute_;
  const double per_second = most / 60;
  const auto filled = [&](const Bucket& bucket) {
    return std::min(most, bucket.left + per_second * std::chrono::duration<double>(now - bucket.at).count());
  };
  if (buckets_.size() >= most_keys_ && !buckets_.contains(key)) {
    std::erase_if(buckets_, [&](const auto& entry) { return filled(entry.second) >= most; });
    if (buckets_.size() >= most_keys_) buckets_.clear();
  }
  Bucket& bucket = buckets_.try_emplace(key, Bucket{most, now}).first->second;
  bucket = {filled(bucket), now};
  if (bucket.left >= 1) {
    bucket.left -= 1;
    return milliseconds(0);
  }
  return std::chrono::ceil<milliseconds>(std::chrono::duration<double>((1 - bucket.left) / per_second));
}

std::string client_key(const std::string& address) {
  boost::system::error_code error;
  const auto parsed = boost::asio::ip::make_address(address, error);
  if (error || parsed.is_v4()) return address;
  return boost::asio::ip::network_v6(parsed.to_v6(), 64).canonical().to_string();
}

}  // namespace xray
