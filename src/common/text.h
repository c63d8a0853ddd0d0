#pragma once

#include <string>

namespace xray {

/// `text` with every control character replaced by '?': names of files and
/// messages about them come from outside, and a terminal would obey them.
std::string printable(std::string text);

}  // namespace xray
