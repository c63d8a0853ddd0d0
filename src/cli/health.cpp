#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/serve_address.h"
#include "common/text.h"

namespace xray {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::uint64_t kMaxAnswer = 64U << 10U;

struct HealthOptions {
  std::string url;
  double timeout = 5;
};

/// What is asked, and where.
struct Question {
  bool tls = false;
  ListenAddress address;
  std::string path = "/readyz";
};

using Answer = http::response<http::string_body>;

std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing else runs yet
  return value == nullptr ? "" : value;
}

/// The server that the same variables would start on this machine.
Result<Question> own_server() {
  auto address = serve_address(variable("XRAY_LISTEN"));
  if (!address) return address.error();
  if (address->host == "0.0.0.0") address->host = "127.0.0.1";
  if (address->host == "::") address->host = "::1";
  return Question{.tls = !variable("XRAY_TLS_CERT").empty(), .address = std::move(*address)};
}

/// "http://HOST[:PORT][/PATH]", and https. kInvalidArgument.
Result<Question> parse_url(std::string_view url) {
  Question question;
  constexpr std::string_view kHttp = "http://";
  constexpr std::string_view kHttps = "https://";
  question.tls = url.starts_with(kHttps);
  if (!question.tls && !url.starts_with(kHttp))
    return Error{ErrorCode::kInvalidArgument, "URL: it begins with http:// or https://"};
  url.remove_prefix(question.tls ? kHttps.size() : kHttp.size());
  const std::size_t slash = std::min(url.find('/'), url.size());
  auto address = parse_listen_address(url.substr(0, slash), question.tls ? 443 : 80);
  if (!address) return with_context(address.error(), "URL");
  question.address = std::move(*address);
  const std::string_view path = url.substr(slash);
  if (path.find_first_of(" \t\r\n#") != std::string_view::npos)
    return Error{ErrorCode::kInvalidArgument, "URL: a path has neither blanks nor #"};
  if (path.size() > 1) question.path = path;
  return question;
}

template <typename Stream>
asio::awaitable<Answer> exchange(Stream& stream, const Question& question) {
  http::request<http::empty_body> request(http::verb::get, question.path, 11);
  const std::string port = std::to_string(question.address.port);
  const bool ipv6 = question.address.host.find(':') != std::string::npos;
  request.set(http::field::host,
              (ipv6 ? "[" + question.address.host + "]" : question.address.host) + ":" + port);
  request.set(http::field::user_agent, "xray health");
  request.set(http::field::connection, "close");
  co_await http::async_write(stream, request, asio::use_awaitable);
  beast::flat_buffer buffer(kMaxAnswer);
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxAnswer);
  co_await http::async_read(stream, buffer, parser, asio::use_awaitable);
  co_return parser.release();
}

asio::awaitable<Answer> ask(const Question& question) {
  auto executor = co_await asio::this_coro::executor;
  asio::ip::tcp::resolver resolver(executor);
  const std::string port = std::to_string(question.address.port);
  const auto places = co_await resolver.async_resolve(question.address.host, port, asio::use_awaitable);
  asio::ip::tcp::socket socket(executor);
  co_await asio::async_connect(socket, places, asio::use_awaitable);
  if (!question.tls) {
    Answer answer = co_await exchange(socket, question);
    co_return answer;
  }
  asio::ssl::context context(asio::ssl::context::tls_client);
  context.set_default_verify_paths();
  // Nobody stands between a machine and itself, and a server's certificate is for its public name.
  const bool itself = socket.remote_endpoint().address().is_loopback();
  context.set_verify_mode(itself ? asio::ssl::verify_none : asio::ssl::verify_peer);
  asio::ssl::stream<asio::ip::tcp::socket> secure(std::move(socket), context);
  if (!itself) {
    std::string host = question.address.host;
    secure.set_verify_callback(asio::ssl::host_name_verification(host));
    SSL_ctrl(secure.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data());
  }
  co_await secure.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
  Answer answer = co_await exchange(secure, question);
  co_return answer;
}

int run_health(const HealthOptions& options) {
  const auto question = options.url.empty() ? own_server() : parse_url(options.url);
  if (!question) return fail(question.error().message, kExitUsage);
  asio::io_context io;
  std::optional<Answer> answer;
  std::string failure = "no answer in time";
  asio::co_spawn(io, ask(*question), [&](const std::exception_ptr& thrown, Answer came) {
    if (!thrown) {
      answer = std::move(came);
      return;
    }
    try {
      std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& error) {
      failure = error.code().message();
    } catch (const std::exception& error) {
      failure = error.what();
    }
  });
  io.run_for(std::chrono::round<std::chrono::milliseconds>(std::chrono::duration<double>(options.timeout)));
  if (!answer)
    return fail(question->address.host + " port " + std::to_string(question->address.port) + ": " +
                printable(failure));
  std::cout << answer->result_int() << ' ' << printable(answer->body()) << '\n';
  return answer->result() == http::status::ok ? kExitOk : kExitSomeFailed;
}

}  // namespace

void add_health(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<HealthOptions>();
  CLI::App* command =
      app.add_subcommand("health", "Ask a server whether it is ready, as container engines do");
  command->footer(
      "Without a URL it asks the server that `xray serve` with the same $XRAY_LISTEN, $PORT and\n"
      "$XRAY_TLS_CERT runs on this machine; without a path it asks /readyz.\n"
      "\n"
      "Exit code: 0 ready, 1 not ready or no answer, 2 wrong usage.");
  command->add_option("url", options->url, "http://HOST:PORT, or https")->type_name("URL");
  command->add_option("--timeout", options->timeout, "Seconds to wait for the answer (default: 5)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 3600.0));
  command->callback([options, &exit_code] { exit_code = run_health(*options); });
}

}  // namespace xray
