#include "serve/http/multipart.h"

#include <algorithm>

#include "serve/http/http_message.h"

namespace xray {
namespace {

constexpr std::size_t kMaxParts = 100;
constexpr std::size_t kMaxPartHead = 8U << 10U;
constexpr std::size_t kMaxBoundary = 70;
constexpr std::string_view kLineEnd = "\r\n";

Error malformed(std::string_view what) {
  return {ErrorCode::kInvalidArgument, "the form is malformed: " + std::string(what)};
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// A header's value taken apart: "form-data", then name="value" pairs one by one.
class Parameters {
 public:
  explicit Parameters(std::string_view value) : rest_(value) {
    kind_ = trim(rest_.substr(0, rest_.find(';')));
    skip_to_semicolon();
  }

  std::string_view kind() const { return kind_; }

  /// The next pair; nothing at the end, or where there is none to understand.
  std::optional<Header> next() {
    if (rest_.empty()) return std::nullopt;
    rest_.remove_prefix(1);
    const std::size_t equals = rest_.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    Header pair;
    pair.name = std::string(trim(rest_.substr(0, equals)));
    rest_.remove_prefix(equals + 1);
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size()));
    if (rest_.starts_with('"')) {
      if (!read_quoted(pair.value)) return std::nullopt;
    } else {
      pair.value = std::string(trim(rest_.substr(0, rest_.find(';'))));
    }
    skip_to_semicolon();
    return pair;
  }

 private:
  void skip_to_semicolon() { rest_.remove_prefix(std::min(rest_.find(';'), rest_.size())); }

  bool read_quoted(std::string& value) {
    rest_.remove_prefix(1);
    while (!rest_.empty() && rest_.front() != '"') {
      // Browsers leave backslashes alone, curl puts them before quotes and themselves.
      const bool escape = rest_.front() == '\\' && rest_.size() > 1 && (rest_[1] == '"' || rest_[1] == '\\');
      if (escape) rest_.remove_prefix(1);
      value += rest_.front();
      rest_.remove_prefix(1);
    }
    if (rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view kind_;
  std::string_view rest_;
};

/// The lines of a part's head.
Result<Part> parse_head(std::string_view head) {
  Part part;
  bool is_form_data = false;
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find(kLineEnd));
    head.remove_prefix(std::min(line.size() + kLineEnd.size(), head.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return malformed("a part's head has a line without a colon");
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim(line.substr(colon + 1));
    if (same_name(name, "Content-Type")) part.content_type = std::string(value);
    if (!same_name(name, "Content-Disposition")) continue;
    Parameters parameters(value);
    is_form_data = same_name(parameters.kind(), "form-data");
    while (const auto pair = parameters.next()) {
      if (same_name(pair->name, "name")) part.name = pair->value;
      if (same_name(pair->name, "filename")) part.file_name = pair->value;
    }
  }
  if (!is_form_data) return malformed("a part is no form-data");
  return part;
}

}  // namespace

Result<std::string> multipart_boundary(std::string_view content_type) {
  Parameters parameters(content_type);
  while (auto pair = parameters.next()) {
    if (!same_name(pair->name, "boundary")) continue;
    if (pair->value.empty() || pair->value.size() > kMaxBoundary) break;
    return std::move(pair->value);
  }
  return malformed("its content type names no boundary of 1 to 70 characters");
}

Result<std::vector<Part>> parse_multipart(std::span<const std::byte> body, std::string_view boundary) {
  if (boundary.empty() || boundary.size() > kMaxBoundary) return malformed("its boundary");
  // Looking for it takes linear time: its first character does not occur in it again.
  const std::string delimiter = "\r\n--" + std::string(boundary);
  std::string_view rest(reinterpret_cast<const char*>(body.data()), body.size());

  // The first delimiter may lack the line before it; whatever precedes it is ignored.
  const std::string_view opening = std::string_view(delimiter).substr(kLineEnd.size());
  if (rest.starts_with(opening)) {
    rest.remove_prefix(opening.size());
  } else {
    const std::size_t start = rest.find(delimiter);
    if (start == std::string_view::npos) return malformed("its boundary does not occur");
    rest.remove_prefix(start + delimiter.size());
  }

  std::vector<Part> parts;
  for (;;) {
    if (rest.starts_with("--")) return parts;
    // Spaces may follow a delimiter (RFC 2046, section 5.1.1).
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    if (!rest.starts_with(kLineEnd)) return malformed("it ends early, or a boundary's line goes on");
    if (parts.size() == kMaxParts) return malformed("more than " + std::to_string(kMaxParts) + " parts");

    // The line end stays in place: a head without any line ends with it and the next one.
    const std::string_view window = rest.substr(0, kMaxPartHead);
    const std::size_t head_end = window.find("\r\n\r\n");
    if (head_end == std::string_view::npos) return malformed("a part's head is too large or ends early");
    Result<Part> part = parse_head(
        window.substr(std::min(kLineEnd.size(), head_end), head_end - std::min(kLineEnd.size(), head_end)));
    if (!part) return part.error();

    // The body may be empty: then the blank line's end begins the delimiter.
    rest.remove_prefix(head_end + kLineEnd.size());
    const std::size_t end = rest.find(delimiter);
    if (end == std::string_view::npos) return malformed("it ends early");
    const std::string_view content =
        end == 0 ? std::string_view() : rest.substr(kLineEnd.size(), end - kLineEnd.size());
    part->body = std::as_bytes(std::span(content.data(), content.size()));
    parts.push_back(std::move(*part));
    rest.remove_prefix(end + delimiter.size());
  }
}

}  // namespace xray
