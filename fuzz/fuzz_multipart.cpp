// An input is the value of Content-Type, a line feed, and the body.
#include <algorithm>

#include "fuzz_target.h"
#include "serve/http/multipart.h"
#include "serve/http/upload.h"

namespace {

using namespace xray;
using fuzz::require;

/// Forms whose heads, written anew, stay below the parser's limit.
constexpr std::size_t kMaxRewritten = 3000;

std::string_view text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool lies_inside(std::span<const std::byte> part, std::span<const std::byte> whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

std::string in_quotes(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

/// The parts as a form again.
std::string write(const std::vector<Part>& parts, const std::string& boundary) {
  std::string form;
  for (const Part& part : parts) {
    form += "--" + boundary + "\r\nContent-Disposition: form-data; name=" + in_quotes(part.name);
    if (part.file_name) form += "; filename=" + in_quotes(*part.file_name);
    form += "\r\nContent-Type: " + part.content_type + "\r\n\r\n";
    form += text(part.body);
    form += "\r\n";
  }
  return form + "--" + boundary + "--";
}

void check_parts(const std::vector<Part>& parts, std::span<const std::byte> body,
                 const std::string& boundary) {
  require(parts.size() <= 100);
  const std::byte* end = body.data();
  bool rewritable = true;
  for (const Part& part : parts) {
    require(lies_inside(part.body, body));
    require(text(part.body).find("\r\n--" + boundary) == std::string_view::npos);
    if (!part.body.empty()) {
      require(part.body.data() >= end);
      end = part.body.data() + part.body.size();
    }
    rewritable =
        rewritable &&
        part.name.size() + part.file_name.value_or("").size() + part.content_type.size() < kMaxRewritten;
  }
  if (!rewritable) return;

  const std::string form = write(parts, boundary);
  const auto again = parse_multipart(std::as_bytes(std::span(form)), boundary);
  require(again.ok());
  require(
      std::equal(parts.begin(), parts.end(), again->begin(), again->end(), [](const Part& a, const Part& b) {
        return a.name == b.name && a.file_name == b.file_name && a.content_type == b.content_type &&
               text(a.body) == text(b.body);
      }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::as_text(data, size);
  const std::string_view content_type = input.substr(0, input.find('\n'));
  const auto body = std::as_bytes(std::span(data, size)).subspan(std::min(content_type.size() + 1, size));

  Request request;
  request.headers = {{"Content-Type", std::string(content_type)}};
  request.body = body;
  const Result<Upload> upload = read_upload(request);
  require(upload ? !upload->picture.empty() && lies_inside(upload->picture, body)
                 : !upload.error().message.empty());

  const Result<std::string> boundary = multipart_boundary(content_type);
  if (!boundary) return 0;
  require(!boundary->empty() && boundary->size() <= 70);
  const Result<std::vector<Part>> parts = parse_multipart(body, *boundary);
  if (parts)
    check_parts(*parts, body, *boundary);
  else
    require(parts.error().code == ErrorCode::kInvalidArgument);
  return 0;
}

std::vector<Bytes> xray::fuzz::seeds() {
  const std::string form = "multipart/form-data; boundary=b\n";
  const std::string file =
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a \\\"1\\\".png\"\r\n"
      "Content-Type: image/png\r\n\r\n\x89PNG\r\n--a\r\n\r\n";
  return {
      to_bytes(form + file + "--b--\r\n"),
      to_bytes(form + "ignored\r\n--b \t\r\ncontent-disposition: FORM-DATA; name=note\r\n\r\n\r\n" + file +
               "--b--ignored"),
      to_bytes("multipart/form-data; charset=utf-8; BOUNDARY=\"a b\"\n"
               "--a b\r\nContent-Disposition: form-data; name=a; filename=C:\\a\r\n\r\nx\r\n--a b--"),
      to_bytes("image/jpeg\nbytes"),
  };
}
