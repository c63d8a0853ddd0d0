#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/http_message.h"

namespace xray::test {

/// An answer as it came over the wire.
struct Answer {
  int status = 0;
  std::vector<Header> headers;
  std::string body;

  /// Empty where there is none.
  std::string header(std::string_view name) const {
    for (const Header& header : headers)
      if (same_name(header.name, name)) return header.value;
    return {};
  }
  nlohmann::json json() const { return nlohmann::json::parse(body); }
};

/// A client that sends what it is told, byte by byte, right or wrong. Throws
/// std::runtime_error where the server closes early or is silent for 10 s.
class TestClient {
 public:
  /// Opens a socket, unconnected.
  TestClient() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{10, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  explicit TestClient(std::uint16_t port) : TestClient() { connect(port); }
  virtual ~TestClient() { ::close(socket_); }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  void connect(std::uint16_t port) const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("cannot connect");
  }

  /// False where the server takes no more.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = write_some(bytes);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// The next answer; `has_body` false after HEAD.
  Answer receive(bool has_body = true) {
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) more();
    std::string_view head = std::string_view(received_).substr(0, end);
    Answer answer;
    answer.status = std::stoi(std::string(head.substr(9, 3)));
    while (head.find("\r\n") != std::string_view::npos) {
      head.remove_prefix(head.find("\r\n") + 2);
      const std::string_view line = head.substr(0, head.find("\r\n"));
      const std::size_t colon = line.find(": ");
      answer.headers.push_back({std::string(line.substr(0, colon)), std::string(line.substr(colon + 2))});
    }
    received_.erase(0, end + 4);
    const std::string length = answer.header("Content-Length");
    const std::size_t size = has_body && !length.empty() ? std::stoul(length) : 0;
    while (received_.size() < size) more();
    answer.body = received_.substr(0, size);
    received_.erase(0, size);
    return answer;
  }

  /// Whether the server closes without another byte.
  bool closed() {
    if (!received_.empty()) return false;
    char byte = 0;
    return read_some(&byte, 1) == 0;
  }

  /// A whole exchange, Host included.
  Answer request(const std::string& method, const std::string& target,
                 const std::vector<Header>& headers = {}, std::string_view body = {}) {
    std::string head = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n";
    for (const Header& header : headers) head += header.name + ": " + header.value + "\r\n";
    if (!body.empty()) head += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    send(head + "\r\n" + std::string(body));
    return receive(method != "HEAD");
  }

 protected:
  virtual ssize_t write_some(std::string_view bytes) {
    return ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  virtual ssize_t read_some(char* to, std::size_t size) { return ::recv(socket_, to, size, 0); }
  int socket() const { return socket_; }

 private:
  void more() {
    char chunk[16384];
    const ssize_t got = read_some(chunk, sizeof chunk);
    if (got <= 0) throw std::runtime_error("no answer came");
    received_.append(chunk, static_cast<std::size_t>(got));
  }

  int socket_;
  std::string received_;
};

}  // namespace xray::test
