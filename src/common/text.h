#pragma once

#include <string>

namespace xray {

/// `text` with every control character replaced by '?': names of files and
/// messages about them come from outside, and a terminal would obey them.
std::string printable(std::string text);

/// `text` as a quoted field of a CSV file (RFC 4180).
std::string csv_field(std::string text);

}  // namespace xray
