#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace xray {

/// What the command line of `xray serve` says of who may come in, and how.
struct LockOptions {
  std::string tls_certificate;  ///< files of PEM; empty: none
  std::string tls_key;
  std::string trust_proxy;  ///< see Networks::parse
};

void add_lock_options(CLI::App& command, LockOptions& options);

}  // namespace xray
