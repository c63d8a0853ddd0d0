#include "serve/http/upload.h"

#include <algorithm>
#include <array>

#include "common/text.h"
#include "serve/http/multipart.h"

namespace xray {
namespace {

constexpr std::size_t kMaxName = 255;

/// Length of the UTF-8 sequence (RFC 3629, section 4) that `text` begins with; 0 where it is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first < 0x80U) return 1;
  if (first >= 0xC2U && first <= 0xDFU) return continues(1) ? 2 : 0;
  // The second byte's range keeps out overlong forms, surrogates and what is above U+10FFFF.
  if (first >= 0xE0U && first <= 0xEFU) {
    const bool second =
        byte(1) >= (first == 0xE0U ? 0xA0U : 0x80U) && byte(1) <= (first == 0xEDU ? 0x9FU : 0xBFU);
    return second && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0U && first <= 0xF4U) {
    const bool second =
        byte(1) >= (first == 0xF0U ? 0x90U : 0x80U) && byte(1) <= (first == 0xF4U ? 0x8FU : 0xBFU);
    return second && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

/// Whether the character is one of Unicode's controls: U+0000 to U+001F, U+007F to U+009F.
bool is_control(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  return byte(0) < 0x20U || byte(0) == 0x7FU || (byte(0) == 0xC2U && byte(1) < 0xA0U);
}

Result<Upload> read_form(const Request& request, const std::string& content_type) {
  const Result<std::string> boundary = multipart_boundary(content_type);
  if (!boundary) return boundary.error();
  Result<std::vector<Part>> parts = parse_multipart(request.body, *boundary);
  if (!parts) return parts.error();
  std::erase_if(*parts, [](const Part& part) { return !part.file_name.has_value(); });
  if (parts->empty()) return Error{ErrorCode::kInvalidArgument, "the form holds no file"};
  if (parts->size() > 1) return Error{ErrorCode::kInvalidArgument, "one request takes one picture"};
  const Part& part = parts->front();
  return Upload{clean_file_name(part.file_name.value_or("")), part.body};
}

Result<Upload> read_raw(const Request& request, std::string_view media_type) {
  constexpr std::array<std::string_view, 5> kAccepted = {"", "image/jpeg", "image/png", "application/dicom",
                                                         "application/octet-stream"};
  const bool accepted = std::any_of(kAccepted.begin(), kAccepted.end(),
                                    [&](std::string_view type) { return same_name(type, media_type); });
  if (!accepted)
    return Error{ErrorCode::kUnsupported,
                 "a picture comes as multipart/form-data, image/jpeg, image/png, "
                 "application/dicom or application/octet-stream"};
  std::string name;
  if (const std::string* header = request.header("X-File-Name"); header != nullptr)
    name = percent_decoded(*header);
  else
    name = query_value(request.query, "name").value_or("");
  return Upload{clean_file_name(name), request.body};
}

}  // namespace

std::string clean_file_name(std::string_view name) {
  name.remove_prefix(name.find_last_of("/\\") + 1);  // npos + 1 is 0
  std::string clean;
  while (!name.empty()) {
    const std::size_t length = utf8_length(name);
    const std::string_view next = length == 0 ? std::string_view("\xEF\xBF\xBD") : name.substr(0, length);
    name.remove_prefix(std::max<std::size_t>(length, 1));
    if (is_control(next)) continue;
    if (clean.size() + next.size() > kMaxName) break;
    clean += next;
  }
  return clean;
}

Result<Upload> read_upload(const Request& request) {
  const std::string* header = request.header("Content-Type");
  const std::string content_type = header == nullptr ? "" : *header;
  const std::string_view media_type =
      std::string_view(content_type).substr(0, content_type.find_first_of("; \t"));
  Result<Upload> upload = same_name(media_type, "multipart/form-data") ? read_form(request, content_type)
                                                                       : read_raw(request, media_type);
  if (upload && upload->picture.empty()) return Error{ErrorCode::kNotAPicture, "the file is empty"};
  return upload;
}

}  // namespace xray
