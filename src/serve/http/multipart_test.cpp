#include "serve/http/multipart.h"

#include <gtest/gtest.h>

namespace xray {
namespace {

Result<std::vector<Part>> parse(std::string_view body, std::string_view boundary = "b") {
  return parse_multipart(std::as_bytes(std::span(body.data(), body.size())), boundary);
}

std::string text(const Part& part) {
  return {reinterpret_cast<const char*>(part.body.data()), part.body.size()};
}

void expect_malformed(std::string_view body) {
  const auto parts = parse(body);
  ASSERT_FALSE(parts) << body;
  EXPECT_EQ(parts.error().code, ErrorCode::kInvalidArgument);
}

TEST(Multipart, ReadsFieldsAndFilesWithoutTouchingTheirBytes) {
  const std::string body =
      "--b\r\n"
      "Content-Disposition: form-data; name=\"note\"\r\n"
      "\r\n"
      "hello\r\n"
      "--b\r\n"
      "content-disposition: FORM-DATA; filename=\"R\xC3\xB6ntgen 1.jpeg\"; name=file\r\n"
      "Content-Type: image/jpeg\r\n"
      "\r\n" +
      std::string("\0\r\n--c\r\n\r\n--\xFF", 13) + "\r\n--b--\r\n";
  const auto parts = parse(body).value();
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].name, "note");
  EXPECT_FALSE(parts[0].file_name);
  EXPECT_EQ(text(parts[0]), "hello");
  EXPECT_EQ(parts[1].name, "file");
  EXPECT_EQ(parts[1].file_name, "R\xC3\xB6ntgen 1.jpeg");
  EXPECT_EQ(parts[1].content_type, "image/jpeg");
  EXPECT_EQ(text(parts[1]), std::string("\0\r\n--c\r\n\r\n--\xFF", 13));
  EXPECT_GE(reinterpret_cast<const char*>(parts[1].body.data()), body.data());
}

TEST(Multipart, TakesPreambleEpilogueAndSpacesAfterBoundaries) {
  const auto parts =
      parse("ignore me\r\n--b \t\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--ignore me too");
  ASSERT_TRUE(parts);
  ASSERT_EQ(parts->size(), 1U);
  EXPECT_EQ(text(parts->front()), "x");
}

TEST(Multipart, TakesEmptyBodiesAndEmptyForms) {
  const auto parts =
      parse("--b\r\nContent-Disposition: form-data; name=a; filename=\"\"\r\n\r\n\r\n--b--").value();
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_EQ(parts[0].file_name, "");
  EXPECT_TRUE(parts[0].body.empty());
  EXPECT_TRUE(parse("--b--\r\n").value().empty());
}

TEST(Multipart, UnderstandsQuotesAsCurlAndAsBrowsersSendThem) {
  const auto name = [](const std::string& sent) {
    const std::string body =
        "--b\r\nContent-Disposition: form-data; name=a; filename=" + sent + "\r\n\r\nx\r\n--b--";
    return parse(body).value().at(0).file_name.value();
  };
  EXPECT_EQ(name(R"("a \"b\".png")"), "a \"b\".png");
  EXPECT_EQ(name(R"("C:\films\a.png")"), "C:\\films\\a.png");
  EXPECT_EQ(name(R"("a;b.png")"), "a;b.png");
}

TEST(Multipart, RefusesEveryTruncation) {
  const std::string whole =
      "--b\r\nContent-Disposition: form-data; name=a; filename=f\r\n\r\nsome bytes\r\n--b--";
  ASSERT_TRUE(parse(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // Exactly as long as the parsed bytes, so that a read beyond them is seen by sanitizers.
    const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(parse({cut.data(), cut.size()})) << size;
  }
}

TEST(Multipart, RefusesWhatIsMalformed) {
  expect_malformed("");
  expect_malformed("no boundary at all");
  expect_malformed("--b\r\n\r\nno disposition\r\n--b--");
  expect_malformed("--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--b--");
  expect_malformed("--b\r\nContent-Disposition form-data\r\n\r\nx\r\n--b--");
  expect_malformed("--bb\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--bb--");
  expect_malformed("--b\nContent-Disposition: form-data; name=a\n\nx\n--b--");
}

TEST(Multipart, BoundsTheNumberOfParts) {
  std::string body;
  for (int i = 0; i < 10'000; ++i) body += "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n";
  expect_malformed(body + "--b--");
}

TEST(Multipart, BoundsTheHeadOfAPart) {
  expect_malformed("--b\r\nContent-Disposition: form-data; name=" + std::string(20'000, 'a') +
                   "\r\n\r\nx\r\n--b--");
  expect_malformed("--b\r\n" + std::string(1'000'000, '\r'));
}

TEST(MultipartBoundary, IsFoundQuotedOrNot) {
  EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=----x7").value(), "----x7");
  EXPECT_EQ(multipart_boundary("multipart/form-data;charset=utf-8; BOUNDARY=\"a b\"").value(), "a b");
}

TEST(MultipartBoundary, IsRefusedWhenMissingEmptyOrTooLong) {
  EXPECT_FALSE(multipart_boundary("multipart/form-data"));
  EXPECT_FALSE(multipart_boundary("multipart/form-data; boundary="));
  EXPECT_FALSE(multipart_boundary("multipart/form-data; boundary=\"a"));
  EXPECT_FALSE(multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'a')));
  EXPECT_FALSE(parse_multipart({}, ""));
}

}  // namespace
}  // namespace xray
