#include "serve/http/upload.h"

#include <gtest/gtest.h>

namespace xray {
namespace {

Request request(std::vector<Header> headers, std::string_view body, std::string query = "") {
  Request made;
  made.method = "POST";
  made.query = std::move(query);
  made.headers = std::move(headers);
  made.body = std::as_bytes(std::span(body.data(), body.size()));
  return made;
}

std::string file_part(const std::string& name) {
  return "--b\r\nContent-Disposition: form-data; name=f; filename=\"" + name + "\"\r\n\r\npicture\r\n";
}

const Header kForm = {"Content-Type", "multipart/form-data; boundary=b"};

TEST(Upload, TakesTheOneFileOfAForm) {
  const std::string body =
      "--b\r\nContent-Disposition: form-data; name=note\r\n\r\nhello\r\n" + file_part("a.png") + "--b--";
  const Request sent = request({kForm}, body);
  const Upload upload = read_upload(sent).value();
  EXPECT_EQ(upload.file_name, "a.png");
  EXPECT_EQ(upload.picture.size(), 7U);
}

TEST(Upload, TakesRawBodiesWithNamesFromHeaderOrQuery) {
  EXPECT_EQ(read_upload(request({{"content-type", "image/jpeg"}, {"x-file-name", "R%C3%B6.jpeg"}}, "x"))
                .value()
                .file_name,
            "Rö.jpeg");
  EXPECT_EQ(read_upload(request({}, "x", "a=1&name=b+c%2Epng")).value().file_name, "b c.png");
  EXPECT_EQ(read_upload(request({{"Content-Type", "APPLICATION/DICOM; x=y"}}, "x")).value().file_name, "");
}

TEST(Upload, RefusesOtherContentTypes) {
  EXPECT_EQ(read_upload(request({{"Content-Type", "text/plain"}}, "x")).error().code,
            ErrorCode::kUnsupported);
  EXPECT_EQ(read_upload(request({{"Content-Type", "image/gif"}}, "x")).error().code, ErrorCode::kUnsupported);
}

TEST(Upload, RefusesNoneAndSeveralAndEmptyFiles) {
  const auto code = [](const std::string& body) { return read_upload(request({kForm}, body)).error().code; };
  EXPECT_EQ(code("--b--"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(file_part("a") + file_part("b") + "--b--"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code("--b\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\n\r\n--b--"),
            ErrorCode::kNotAPicture);
  EXPECT_EQ(read_upload(request({{"Content-Type", "image/png"}}, "")).error().code, ErrorCode::kNotAPicture);
  EXPECT_EQ(read_upload(request({{"Content-Type", "multipart/form-data"}}, "x")).error().code,
            ErrorCode::kInvalidArgument);
}

TEST(CleanFileName, KeepsTheLastComponentOnly) {
  EXPECT_EQ(clean_file_name("../../etc/passwd"), "passwd");
  EXPECT_EQ(clean_file_name("C:\\films\\a.png"), "a.png");
  EXPECT_EQ(clean_file_name("folder/"), "");
}

TEST(CleanFileName, DropsControlCharactersAndRepairsUtf8) {
  EXPECT_EQ(clean_file_name("a\r\n\t\x1B[31mb\x7F"), "a[31mb");
  EXPECT_EQ(clean_file_name("a\xC2\x9B"
                            "31mb\xC2\xA0"),
            "a31mb\xC2\xA0");
  EXPECT_EQ(clean_file_name("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(clean_file_name("\xC0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD");       // overlong
  EXPECT_EQ(clean_file_name("\xED\xA0\x80").substr(0, 3), "\xEF\xBF\xBD");  // a surrogate
  EXPECT_EQ(clean_file_name("\xE2\x82"), "\xEF\xBF\xBD\xEF\xBF\xBD");       // cut short
  EXPECT_EQ(clean_file_name("Größe 骨 🦴.png"), "Größe 骨 🦴.png");
}

TEST(CleanFileName, CutsBetweenCharacters) {
  std::string name;
  for (int i = 0; i < 200; ++i) name += "ö";
  EXPECT_EQ(clean_file_name(name).size(), 254U);
}

}  // namespace
}  // namespace xray
