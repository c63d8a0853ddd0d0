#pragma once

namespace CLI {
class App;
}

namespace xray {

// Each adds one sub-command that sets `exit_code`: 0 done, 1 failed, 2 wrong
// usage, 130 stopped by the user.

/// `xray-train fit`: data set -> run -> model package.
void add_fit(CLI::App& app, int& exit_code);
/// `xray-train crossval`: data set -> a run per fold -> scores and figures of films not trained on.
void add_crossval(CLI::App& app, int& exit_code);
/// `xray-train lungs`: films with lung masks -> run -> lung network.
void add_lungs(CLI::App& app, int& exit_code);
/// `xray-train severity`: data set and scored films -> runs -> what tells severity.
void add_severity(CLI::App& app, int& exit_code);
/// `xray-train gate`: films, other pictures and a lung network -> what refuses the others.
void add_gate(CLI::App& app, int& exit_code);

}  // namespace xray
