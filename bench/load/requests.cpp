#include "load/requests.h"

#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <system_error>

#include "common/file.h"

namespace xray::load {
namespace {

namespace fs = std::filesystem;

/// Of one picture; what is measured are films, not archives.
constexpr std::uint64_t kMaxPicture = 64U << 20U;
/// Long enough that no picture holds it by chance.
constexpr std::string_view kBoundary = "----xray-load-5f0c2e7d9b8146a3a1c4e6f80b7d2395";

std::string extension_of(const fs::path& file) {
  std::string extension = file.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return extension;
}

bool is_picture(const fs::path& file) {
  const std::string extension = extension_of(file);
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

std::string_view media_type_of(const fs::path& file) {
  return extension_of(file) == ".png" ? "image/png" : "image/jpeg";
}

std::string base64(std::string_view bytes) {
  // Every three bytes begun become four characters; OpenSSL adds a zero.
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int written =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(written));
  return text;
}

/// A body and what its head says of it.
struct Body {
  std::string media_type;
  std::string bytes;
};

Body make_body(const RequestForm& form, const fs::path& file, std::string_view picture) {
  switch (form.body) {
    case BodyForm::kMultipart: {
      std::string bytes = "--" + std::string(kBoundary) + "\r\nContent-Disposition: form-data; name=\"" +
                          form.field + "\"; filename=\"" + file.filename().string() +
                          "\"\r\nContent-Type: " + std::string(media_type_of(file)) + "\r\n\r\n";
      bytes.append(picture).append("\r\n--").append(kBoundary).append("--\r\n");
      return {"multipart/form-data; boundary=" + std::string(kBoundary), std::move(bytes)};
    }
    case BodyForm::kRaw:
      return {std::string(media_type_of(file)), std::string(picture)};
    case BodyForm::kJson: {
      nlohmann::json instance = {{"b64", base64(picture)}};
      if (!form.input.empty()) instance = {{form.input, std::move(instance)}};
      return {"application/json", nlohmann::json{{"instances", {std::move(instance)}}}.dump()};
    }
  }
  return {};
}

}  // namespace

Result<Target> parse_target(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  const Error bad{ErrorCode::kInvalidArgument,
                  "the target is written http://HOST:PORT/PATH, not '" + std::string(url) + "'"};
  if (!url.starts_with(kScheme)) return bad;
  url.remove_prefix(kScheme.size());
  const std::string_view authority = url.substr(0, url.find('/'));
  const std::size_t colon = authority.find(':');
  if (colon == 0 || colon == std::string_view::npos) return bad;
  const std::string_view port = authority.substr(colon + 1);
  Target target;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), target.port);
  if (error != std::errc() || end != port.data() + port.size() || target.port == 0) return bad;
  target.host = std::string(authority.substr(0, colon));
  if (authority.size() < url.size()) target.path = std::string(url.substr(authority.size()));
  return target;
}

Result<std::vector<fs::path>> find_pictures(const fs::path& folder, std::size_t most) {
  std::vector<fs::path> files;
  std::error_code failure;
  for (fs::recursive_directory_iterator entry(folder, failure), end; !failure && entry != end;
       entry.increment(failure))
    if (entry->is_regular_file(failure) && is_picture(entry->path())) files.push_back(entry->path());
  if (failure) return Error{ErrorCode::kIo, folder.string() + ": " + failure.message()};
  if (files.empty()) return Error{ErrorCode::kNotFound, folder.string() + " holds no pictures"};
  std::ranges::sort(files);
  if (files.size() <= most) return files;
  std::vector<fs::path> picked;
  picked.reserve(most);
  for (std::size_t i = 0; i < most; ++i) picked.push_back(files[i * files.size() / most]);
  return picked;
}

Result<std::vector<std::string>> make_requests(const Target& target, const RequestForm& form,
                                               const std::vector<fs::path>& files) {
  std::string head = "POST " + target.path + " HTTP/1.1\r\nHost: " + target.authority() + "\r\n";
  for (const std::string& header : form.headers) head += header + "\r\n";
  std::vector<std::string> requests;
  for (const fs::path& file : files) {
    const auto picture = read_text(file, kMaxPicture);
    if (!picture) return with_context(picture.error(), file.string());
    const Body body = make_body(form, file, *picture);
    requests.push_back(head + "Content-Type: " + body.media_type +
                       "\r\nContent-Length: " + std::to_string(body.bytes.size()) + "\r\n\r\n" + body.bytes);
  }
  return requests;
}

}  // namespace xray::load
