#include "serve/log/trace_context.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <random>

#include "common/random.h"

namespace xray {
namespace {

constexpr std::size_t kTraceDigits = 32;
constexpr std::size_t kSpanDigits = 16;
/// "00-" trace "-" span "-" flags.
constexpr std::size_t kLength = 3 + kTraceDigits + 1 + kSpanDigits + 3;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) {
  return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

unsigned hex_digit(char c) {
  return c <= '9' ? static_cast<unsigned>(c - '0') : static_cast<unsigned>(c - 'a') + 10;
}

/// 16 digits, not all zeros. Unique, not secret.
std::string random_digits() {
  thread_local Random random = [] {
    std::random_device entropy;
    return Random((std::uint64_t{entropy()} << 32U) | entropy());
  }();
  std::uint64_t number = 0;
  while (number == 0) number = random.next();
  std::array<char, kSpanDigits + 1> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(number));
  return text.data();
}

}  // namespace

std::optional<TraceParent> parse_traceparent(std::string_view field) {
  if (field.size() < kLength) return std::nullopt;
  const std::string_view version = field.substr(0, 2);
  const std::string_view trace = field.substr(3, kTraceDigits);
  const std::string_view parent = field.substr(4 + kTraceDigits, kSpanDigits);
  const std::string_view flags = field.substr(kLength - 2, 2);
  const bool dashes = field[2] == '-' && field[3 + kTraceDigits] == '-' && field[kLength - 3] == '-';
  if (!dashes || !is_hex(version) || version == "ff" || !is_id(trace) || !is_id(parent) || !is_hex(flags))
    return std::nullopt;
  // What follows in a version to come is not ours to read.
  if (field.size() > kLength && (version == "00" || field[kLength] != '-')) return std::nullopt;
  return TraceParent{std::string(trace), std::string(parent), (hex_digit(flags[1]) & 1U) != 0};
}

TraceContext begin_span(const std::optional<TraceParent>& caller) {
  if (!caller) return {random_digits() + random_digits(), random_digits(), "", true};
  return {caller->trace_id, random_digits(), caller->parent_id, caller->sampled};
}

std::string to_traceparent(const TraceContext& trace) {
  return "00-" + trace.trace_id + "-" + trace.span_id + (trace.sampled ? "-01" : "-00");
}

}  // namespace xray
