#include "cli/serve_lock.h"

namespace xray {

void add_lock_options(CLI::App& command, LockOptions& options) {
  CLI::Option* const certificate =
      command
          .add_option(
              "--tls-cert", options.tls_certificate,
              "Serve HTTPS (and gRPC through TLS) with this certificate and its chain, in PEM; a new one "
              "is taken within seconds, or at once on SIGHUP")
          ->type_name("FILE")
          ->envname("XRAY_TLS_CERT");
  CLI::Option* const key = command.add_option("--tls-key", options.tls_key, "Its private key, in PEM")
                               ->type_name("FILE")
                               ->envname("XRAY_TLS_KEY");
  certificate->needs(key);
  key->needs(certificate);
  command
      .add_option(
          "--trust-proxy", options.trust_proxy,
          "Proxies that end TLS, whose X-Forwarded-For and X-Forwarded-Proto are believed: addresses, "
          "ADDRESS/BITS, loopback, private")
      ->type_name("NETWORKS")
      ->envname("XRAY_TRUST_PROXY");
}

}  // namespace xray
