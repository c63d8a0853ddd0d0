#include "fuzz_target.h"
#include "serve/http/account_api.h"

using namespace xray;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(fuzz::as_text(data, size));
  Request request;
  request.headers = {{"Cookie", text}};
  if (const auto value = cookie_value(request, "xray_session"))
    fuzz::require(value->find(';') == std::string_view::npos);
  if (const auto credentials = read_credentials(text)) fuzz::require(credentials->name.size() <= size);
  const std::string path = local_path(text);
  fuzz::require(path.starts_with('/') && !path.starts_with("//") && path.find('\\') == std::string::npos);
  std::ignore = Scopes::parse(text);
  std::ignore = check_new_password(text, "jane");
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  using fuzz::to_bytes;
  return {to_bytes("a=b; xray_session=abc; c=d"), to_bytes(R"({"name":"jane","password":"secret"})"),
          to_bytes("/#/findings/1"), to_bytes("read,diagnose"), to_bytes("correct horse battery")};
}
