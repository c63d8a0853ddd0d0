#pragma once

#include <string>
#include <string_view>

namespace xray {

/// `text` with every control character replaced by '?': names of files and
/// messages about them come from outside, and a terminal would obey them.
std::string printable(std::string text);

/// ASCII's capitals made small, whatever the locale; every other byte stays.
char lowered(char letter);
std::string lowered(std::string_view text);

/// RFC 3986, section 2.1: %41 becomes A; what is no escape stays as it is.
std::string percent_decoded(std::string_view text);

}  // namespace xray
