#include "auth/jwt.h"
#include "auth/oidc.h"
#include "fuzz_target.h"

using namespace xray;

namespace {

constexpr std::string_view kKeys =
    R"({"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::as_text(data, size);
  static const Jwks keys = Jwks::parse(kKeys).value();
  // Nobody here has the private key.
  fuzz::require(!read_id_token(text, keys, {"https://id.example", "xray", "n", 1'700'000'000}));
  if (const auto others = Jwks::parse(text))
    fuzz::require(!others->keys().empty() && others->keys().size() <= 64);
  if (const auto provider = read_discovery(text, "https://id.example"))
    fuzz::require(provider->token_endpoint.starts_with("http"));
  std::ignore = parse_role_map(text);
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  using fuzz::to_bytes;
  return {to_bytes(kKeys),
          to_bytes("eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUifQ.AAAA"),
          to_bytes(R"({"issuer":"https://id.example","authorization_endpoint":"https://id.example/a",)"
                   R"("token_endpoint":"https://id.example/t","jwks_uri":"https://id.example/k"})"),
          to_bytes("radiologist=reviewer,it=admin")};
}
