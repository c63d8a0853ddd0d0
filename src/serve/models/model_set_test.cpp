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

TEST(ModelSet, GivesTheCanaryItsShareOfThePicturesAlwaysTheSame) {
  const ModelHandle first = tiny_model();
  const auto second = std::make_shared<const ServedModel>(ServedModel{"tiny", "2", first->diagnoser, {}});
  const auto set = [&](const Labels& labels, double share) {
    auto models = std::make_unique<ModelSet>(Catalogue{{first, second}, labels, {}});
    models->set_canary_share(share);
    return models;
  };
  const Labels labels = {{"tiny", {{"canary", "2"}}}};
  const auto shared = set(labels, 20);
  int to_canary = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string text = "picture " + std::to_string(i);
    const auto picture = std::as_bytes(std::span(text));
    const ModelHandle chosen = shared->choose(picture);
    EXPECT_EQ(chosen, shared->choose(picture));
    if (chosen == second) ++to_canary;
    EXPECT_EQ(set(labels, 0)->choose(picture), first);
    EXPECT_EQ(set(labels, 100)->choose(picture), second);
    EXPECT_EQ(set({}, 100)->choose(picture), first);
    EXPECT_EQ(set({{"tiny", {{"canary", "3"}}}}, 100)->choose(picture), first);
  }
  EXPECT_NEAR(to_canary, 200, 60);
}

TEST(ModelSet, KeepsWhatIsHeldAndFreesWhatIsNot) {
  ModelSet models(tiny_model());
  ModelHandle held = models.primary();
  const std::weak_ptr<const ServedModel> old = held;
  models.replace(catalogue_of(tiny_model()));
  EXPECT_NE(models.primary(), held);
  EXPECT_TRUE(models.diagnose(*held, encode_png(test::make_phantom()).value()).ok());
  held.reset();
  EXPECT_TRUE(old.expired());
  EXPECT_THROW(models.replace({}), std::invalid_argument);
}

}  // namespace
}  // namespace xray
