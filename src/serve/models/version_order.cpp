#include "serve/models/version_order.h"

#include <algorithm>
#include <compare>

namespace xray {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_number(std::string_view part) {
  return std::all_of(part.begin(), part.end(), is_digit);
}

/// Of any length; an empty part is 0.
std::strong_ordering compare_numbers(std::string_view a, std::string_view b) {
  const auto without_zeros = [](std::string_view digits) {
    return digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
  };
  a = without_zeros(a);
  b = without_zeros(b);
  return a.size() != b.size() ? a.size() <=> b.size() : a.compare(b) <=> 0;
}

std::strong_ordering compare_parts(std::string_view a, std::string_view b) {
  const bool a_is_number = is_number(a);
  const bool b_is_number = is_number(b);
  if (a_is_number && b_is_number) return compare_numbers(a, b);
  if (a_is_number != b_is_number)
    return a_is_number ? std::strong_ordering::less : std::strong_ordering::greater;
  return a.compare(b) <=> 0;
}

/// Takes the part before the next dot off the front.
std::string_view next_part(std::string_view& rest) {
  const std::size_t dot = std::min(rest.find('.'), rest.size());
  const std::string_view part = rest.substr(0, dot);
  rest.remove_prefix(std::min(dot + 1, rest.size()));
  return part;
}

std::strong_ordering compare_dotted(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty())
    if (const auto order = compare_parts(next_part(a), next_part(b)); order != 0) return order;
  return std::strong_ordering::equal;
}

struct Version {
  explicit Version(std::string_view text) {
    if (text.size() > 1 && text[0] == 'v' && is_digit(text[1])) text.remove_prefix(1);
    const std::size_t dash = std::min(text.find('-'), text.size());
    release = text.substr(0, dash);
    is_preview = dash < text.size();
    if (is_preview) preview = text.substr(dash + 1);
  }
  std::string_view release;
  bool is_preview = false;
  std::string_view preview;
};

}  // namespace

bool is_older(std::string_view a, std::string_view b) {
  const Version one(a);
  const Version other(b);
  if (const auto order = compare_dotted(one.release, other.release); order != 0) return order < 0;
  if (one.is_preview != other.is_preview) return one.is_preview;
  if (const auto order = compare_dotted(one.preview, other.preview); order != 0) return order < 0;
  return a < b;
}

}  // namespace xray
