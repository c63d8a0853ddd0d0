#include "report/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "image/decode.h"
#include "report/test_films.h"

namespace xray {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;
using testing::Not;

/// The data inside a page, as the browser gets to parse it.
Json data_of(const std::string& page) {
  const std::string begin = "<script id=\"data\" type=\"application/json\">";
  const auto from = page.find(begin) + begin.size();
  return Json::parse(page.substr(from, page.find("</script>", from) - from));
}

#define REQUIRE_PAGE(page)                                                                               \
  if (!(page) && (page).error().code == ErrorCode::kUnsupported) GTEST_SKIP() << (page).error().message; \
  ASSERT_TRUE(page)

TEST(RenderPage, CarriesTheDataWhole) {
  const Json data = {{"kind", "exploration"}, {"folder", "C:\\films \"one\" & <two>"}, {"n", 1.5}};
  const auto page = render_page(data);
  REQUIRE_PAGE(page);
  EXPECT_EQ(data_of(*page), data);
}

TEST(RenderPage, LetsNoTextBecomeMarkup) {
  const std::string hostile = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>";
  const auto harmless = render_page({{"folder", "x"}});
  const auto page = render_page({{"folder", hostile}});
  REQUIRE_PAGE(page);
  EXPECT_THAT(*page, Not(HasSubstr("alert(1)</script>")));
  EXPECT_THAT(*page, Not(HasSubstr("<img src=x")));
  EXPECT_EQ(data_of(*page)["folder"], hostile);
  const auto tags = [](const std::string& text) { return std::count(text.begin(), text.end(), '<'); };
  EXPECT_EQ(tags(*page), tags(*harmless));
}

TEST(RenderPage, ReplacesWhatIsNotUtf8) {
  const auto page = render_page({{"folder", "bad\xff name"}});
  REQUIRE_PAGE(page);
  EXPECT_EQ(data_of(*page)["folder"], "bad\xEF\xBF\xBD name");
}

TEST(RenderPage, NeedsNothingFromElsewhere) {
  const auto page = render_page({});
  REQUIRE_PAGE(page);
  EXPECT_THAT(*page, HasSubstr("default-src 'none'"));
  EXPECT_THAT(*page, Not(testing::ContainsRegex("<(script|link|img)[^>]+(src|href)=")));
  EXPECT_LT(page->size(), 700'000U);
}

TEST(WritePage, TellsWhyNothingWasWritten) {
  const auto page = render_page({});
  REQUIRE_PAGE(page);
  EXPECT_EQ(write_page("/no/such/folder/page.html", {}).error().code, ErrorCode::kIo);
}

TEST(DataUri, IsBase64) {
  const std::string text = "any carnal pleas";  // RFC 4648 pads it twice
  EXPECT_EQ(data_uri("image/png", std::as_bytes(std::span(text))),
            "data:image/png;base64,YW55IGNhcm5hbCBwbGVhcw==");
  EXPECT_EQ(data_uri("image/png", {}), "data:image/png;base64,");
}

TEST(Thumbnails, ShowWhatCanBeRead) {
  const test::Films films;
  films.add("NORMAL/a.png", 1);
  films.add("NORMAL/b.png", std::as_bytes(std::span(std::string_view("no picture"))));
  films.add("NORMAL/c.png", 3);
  const PictureUris pictures = thumbnails(films.scan(), {0, 1}, {}, 2);
  ASSERT_EQ(pictures.size(), 1U);
  EXPECT_THAT(pictures.at(0), testing::StartsWith("data:image/jpeg;base64,/9j/"));
}

TEST(PictureNames, NameThePathBelowTheFolder) {
  const test::Films films;
  films.add("train/PNEUMONIA/person7_virus_1.png", 1);
  const Dataset dataset = films.scan();
  PictureNames names(dataset);
  const Json expected = {{"id", 0},
                         {"file", "train/PNEUMONIA/person7_virus_1.png"},
                         {"label", "pneumonia"},
                         {"group", "person"},
                         {"patient", "person:7"},
                         {"split", "train"}};
  EXPECT_EQ(names(0), expected);
  EXPECT_THAT(names.named(), testing::ElementsAre(0));
}

}  // namespace
}  // namespace xray
