#include "fuzz_target.h"
#include "serve/http/client_origin.h"

using namespace xray;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(fuzz::as_text(data, size));
  std::ignore = Networks::parse(text);
  const Networks trusted = Networks::parse("loopback").value();
  Request request;
  request.headers = {{"X-Forwarded-For", text}, {"X-Forwarded-Proto", text}};
  const auto local = boost::asio::ip::make_address("127.0.0.1");
  const ClientOrigin believed = client_origin(request, local, false, trusted);
  boost::system::error_code error;
  std::ignore = boost::asio::ip::make_address(believed.address, error);
  fuzz::require(!error && !(believed.secure && believed.plain));
  const auto stranger = boost::asio::ip::make_address("192.0.2.1");
  const ClientOrigin own = client_origin(request, stranger, false, trusted);
  fuzz::require(own.address == "192.0.2.1" && !own.secure);
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  using fuzz::to_bytes;
  return {to_bytes("192.0.2.1, 127.0.0.1"), to_bytes("[2001:db8::1]:80,198.51.100.7:1234"),
          to_bytes("http, https"), to_bytes("10.0.0.0/8,fd00::/8,private")};
}
