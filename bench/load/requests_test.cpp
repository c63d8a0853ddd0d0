#include "load/requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/file.h"
#include "serve/http/multipart.h"
#include "support/temp_dir.h"

namespace xray::load {
namespace {

using test::TempDir;
using testing::HasSubstr;
using testing::StartsWith;

std::string_view body_of(std::string_view request) {
  return request.substr(request.find("\r\n\r\n") + 4);
}

/// The one request made of a file that holds "picture".
std::string request_for(const RequestForm& form, const std::string& name = "film.JPEG") {
  const TempDir folder;
  EXPECT_TRUE(write_file(folder / name, "picture"));
  return make_requests(parse_target("http://127.0.0.1:8080/api").value(), form, {folder / name})
      .value()
      .at(0);
}

TEST(Target, IsHostPortAndPath) {
  const Target target = parse_target("http://localhost:8080/api/v1/findings?x=1").value();
  EXPECT_EQ(target.host, "localhost");
  EXPECT_EQ(target.port, 8080);
  EXPECT_EQ(target.path, "/api/v1/findings?x=1");
  EXPECT_EQ(parse_target("http://a:1").value().path, "/");
}

TEST(Target, RefusesWhatIsNone) {
  for (const char* url : {"", "https://a:1/", "http://a/", "http://:80/", "http://a:0/", "http://a:65536/",
                          "http://a:8x/", "http://[::1]:80/"})
    EXPECT_FALSE(parse_target(url)) << url;
}

TEST(Requests, CarryAPictureAsAWebForm) {
  const std::string request = request_for({.field = "film", .headers = {"X-Extra: 1"}});
  EXPECT_THAT(request, StartsWith("POST /api HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX-Extra: 1\r\n"));
  const std::string_view body = body_of(request);
  EXPECT_THAT(request, HasSubstr("Content-Length: " + std::to_string(body.size()) + "\r\n"));
  const std::size_t type = request.find("Content-Type: ") + 14;
  const std::string boundary =
      multipart_boundary(request.substr(type, request.find("\r\n", type) - type)).value();
  const std::vector<Part> parts = parse_multipart(std::as_bytes(std::span(body)), boundary).value();
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_EQ(parts[0].file_name, "film.JPEG");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(parts[0].body.data()), parts[0].body.size()),
            "picture");
}

TEST(Requests, CarryAPictureAsItIs) {
  const std::string request = request_for({.body = BodyForm::kRaw}, "film.png");
  EXPECT_THAT(request, HasSubstr("Content-Type: image/png\r\n"));
  EXPECT_EQ(body_of(request), "picture");
}

TEST(Requests, CarryAPictureInJson) {
  EXPECT_EQ(body_of(request_for({.body = BodyForm::kJson})), R"({"instances":[{"b64":"cGljdHVyZQ=="}]})");
  EXPECT_EQ(body_of(request_for({.body = BodyForm::kJson, .input = "film"})),
            R"({"instances":[{"film":{"b64":"cGljdHVyZQ=="}}]})");
}

TEST(Requests, AreOfThePicturesOfAFolderPickedEvenly) {
  const TempDir folder;
  std::filesystem::create_directories(folder / "deep");
  for (const char* name : {"a.jpg", "b.JPEG", "c.txt", "deep/d.png", "e.jpeg"})
    ASSERT_TRUE(write_file(folder / name, "x"));
  const auto all = find_pictures(folder.path(), 10).value();
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[2], folder / "deep/d.png");
  const auto two = find_pictures(folder.path(), 2).value();
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(two[1], folder / "deep/d.png");
  EXPECT_FALSE(find_pictures(folder / "missing", 10));
}

}  // namespace
}  // namespace xray::load
