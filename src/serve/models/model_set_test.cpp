#include "serve/models/model_set.h"

#include <gtest/gtest.h>

#include "image/encode.h"
#include "support/phantom.h"
#include "support/temp_dir.h"
#include "support/tiny_package.h"

namespace xray {
namespace {

ModelHandle tiny_model() {
  const test::TempDir temp;
  if (!test::write_tiny_package(temp / "tiny").ok()) throw std::runtime_error("no package");
  return served(make_diagnoser(temp / "tiny").value());
}

TEST(ModelSet, FindsThePrimaryByItsNameAndByTheCommonOne) {
  const ModelSet models(tiny_model());
  for (const std::string_view name : {std::string_view("tiny"), ModelSet::kPrimary}) {
    const auto found = models.find(name);
    ASSERT_TRUE(found.ok()) << name;
    EXPECT_EQ((*found)->version, "1");
    EXPECT_TRUE(models.find(name, "1").ok());
    EXPECT_EQ(models.find(name, "2").error().code, ErrorCode::kNotFound);
  }
  EXPECT_EQ(models.find("adult").error().code, ErrorCode::kNotFound);
}

TEST(ModelSet, TellsObserversOfEveryFinding) {
  struct Count final : FindingObserver {
    int findings = 0;
    int failures = 0;
    void on_finding(const ServedModel&, std::span<const std::byte>, const Result<Finding>& finding) override {
      ++(finding.ok() ? findings : failures);
    }
  } count;
  ModelSet models(tiny_model());
  models.add_observer(count);
  EXPECT_TRUE(models.diagnose(*models.primary(), encode_png(test::make_phantom()).value()).ok());
  EXPECT_FALSE(models.diagnose(*models.primary(), std::span<const std::byte>()).ok());
  EXPECT_EQ(count.findings, 1);
  EXPECT_EQ(count.failures, 1);
}

}  // namespace
}  // namespace xray
