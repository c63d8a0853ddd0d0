#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <charconv>
#include <chrono>

#include "auth/oidc.h"

namespace xray {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr std::chrono::seconds kPatience{10};
constexpr std::uint64_t kMaxAnswer = 256U << 10U;
constexpr std::uint32_t kMaxHead = 16U << 10U;

struct Url {
  bool tls = false;
  std::string host;
  std::string port;
  std::string target;
};

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

Result<Url> parse_url(std::string_view text) {
  Url url;
  const Error malformed{ErrorCode::kInvalidArgument,
                        "an address of the provider is not https://HOST[:PORT]/PATH"};
  url.tls = text.starts_with("https://");
  if (!url.tls && !text.starts_with("http://")) return malformed;
  text.remove_prefix(url.tls ? 8 : 7);
  const std::size_t slash = std::min(text.find_first_of("/?#"), text.size());
  std::string_view authority = text.substr(0, slash);
  url.target = slash < text.size() ? std::string(text.substr(slash)) : "/";
  const std::size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  url.host = std::string(authority.substr(0, has_port ? colon : authority.size()));
  url.port = has_port ? std::string(authority.substr(colon + 1)) : url.tls ? "443" : "80";
  unsigned number = 0;
  const char* const end = url.port.data() + url.port.size();
  if (url.host.empty() || url.host.find('@') != std::string::npos || !url.target.starts_with('/') ||
      std::from_chars(url.port.data(), end, number).ptr != end || number == 0 || number > 65'535 ||
      url.target.find_first_of(" \r\n\t#") != std::string::npos)
    return malformed;
  // A token or a secret in the clear would be anybody's.
  if (!url.tls && !is_loopback(url.host))
    return Error{ErrorCode::kInvalidArgument,
                 "a provider that is not on this machine is asked through https alone"};
  return url;
}

std::string bare(const std::string& host) {
  return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

template <typename Stream>
asio::awaitable<std::string> ask(Stream& stream, const Url& url, const Fetch& fetch) {
  http::request<http::string_body> request(fetch.form.empty() ? http::verb::get : http::verb::post,
                                           url.target, 11);
  request.set(http::field::host, url.host + ":" + url.port);
  request.set(http::field::accept, "application/json");
  request.set(http::field::user_agent, "xray");
  request.set(http::field::connection, "close");
  if (!fetch.authorization.empty()) request.set(http::field::authorization, fetch.authorization);
  if (!fetch.form.empty()) {
    request.set(http::field::content_type, "application/x-www-form-urlencoded");
    request.body() = fetch.form;
  }
  request.prepare_payload();
  co_await http::async_write(stream, request, asio::use_awaitable);
  beast::flat_buffer buffer(kMaxHead + kMaxAnswer);
  http::response_parser<http::string_body> parser;
  parser.header_limit(kMaxHead);
  parser.body_limit(kMaxAnswer);
  co_await http::async_read(stream, buffer, parser, asio::use_awaitable);
  if (parser.get().result_int() != 200)
    throw std::runtime_error("it answers with status " + std::to_string(parser.get().result_int()));
  co_return std::move(parser.get().body());
}

asio::awaitable<std::string> run(const Url& url, const Fetch& fetch) {
  const auto executor = co_await asio::this_coro::executor;
  tcp::resolver resolver(executor);
  const auto found = co_await resolver.async_resolve(bare(url.host), url.port, asio::use_awaitable);
  if (!url.tls) {
    beast::tcp_stream stream(executor);
    stream.expires_after(kPatience);
    co_await stream.async_connect(found, asio::use_awaitable);
    co_return co_await ask(stream, url, fetch);
  }
  asio::ssl::context context(asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  context.set_default_verify_paths();
  context.set_verify_mode(asio::ssl::verify_peer);
  beast::ssl_stream<beast::tcp_stream> stream(executor, context);
  stream.set_verify_callback(asio::ssl::host_name_verification(bare(url.host)));
  std::string name = bare(url.host);
  SSL_ctrl(stream.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
  beast::get_lowest_layer(stream).expires_after(kPatience);
  co_await beast::get_lowest_layer(stream).async_connect(found, asio::use_awaitable);
  co_await stream.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
  co_return co_await ask(stream, url, fetch);
}

}  // namespace

Result<std::string> fetch_https(const Fetch& fetch) {
  const auto url = parse_url(fetch.url);
  if (!url) return url.error();
  asio::io_context io(1);
  std::optional<Result<std::string>> result;
  asio::co_spawn(io, run(*url, fetch), [&result](const std::exception_ptr& failure, std::string body) {
    if (!failure) {
      result = std::move(body);
      return;
    }
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      result = Error{ErrorCode::kIo, error.what()};
    }
  });
  // A name that is slow to resolve is no part of the stream's patience.
  io.run_for(2 * kPatience);
  if (!result) return Error{ErrorCode::kTimeout, url->host + " does not answer in time"};
  if (!*result) return with_context(result->error(), url->host);
  return std::move(*result);
}

}  // namespace xray
