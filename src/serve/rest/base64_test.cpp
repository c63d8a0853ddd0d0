#include "serve/rest/base64.h"

#include <gtest/gtest.h>

namespace xray {
namespace {

TEST(Base64, DecodesTheVectorsOfItsStandard) {
  const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                         {"Zg==", "f"},
                                                         {"Zm8=", "fo"},
                                                         {"Zm9v", "foo"},
                                                         {"Zm9vYg==", "foob"},
                                                         {"Zm9vYmE=", "fooba"},
                                                         {"Zm9vYmFy", "foobar"},
                                                         {"Zg", "f"},
                                                         {"Zm9vYmE", "fooba"},
                                                         {"+/+/", "\xFB\xFF\xBF"}};
  for (auto [text, expected] : vectors) {
    EXPECT_TRUE(decode_base64(text).ok()) << text;
    EXPECT_EQ(text, expected);
  }
}

TEST(Base64, RefusesWhatIsNone) {
  for (const std::string text : {"Z", "Zg=", "Zg===", "Zm8==", "Zm9v=", "Zm9v====", "=", "====", "Zg==Zg==",
                                 "Zm9\n", "Zm9 v", "Zm-_", "Zh==", "Zm9=", "\xFF\xFF\xFF\xFF"}) {
    std::string changed = text;
    EXPECT_EQ(decode_base64(changed).error().code, ErrorCode::kInvalidArgument) << text;
    EXPECT_EQ(changed, text);
  }
}

}  // namespace
}  // namespace xray
