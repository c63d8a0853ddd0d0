#pragma once

namespace CLI {
class App;
}

namespace xray {

/// `xray-train fit`: data set -> run -> model package. Sets `exit_code`: 0 done,
/// 1 failed, 2 wrong usage, 130 stopped by the user.
void add_fit(CLI::App& app, int& exit_code);

}  // namespace xray
