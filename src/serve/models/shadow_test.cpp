#include "serve/models/shadow.h"

#include <gtest/gtest.h>

#include <functional>

#include "image/encode.h"
#include "support/phantom.h"
#include "support/tiny_package.h"

namespace xray {
namespace {

/// Says the same of every picture, once it is let.
class TestBackend final : public Backend {
 public:
  explicit TestBackend(float pneumonia, std::function<void()> before = {})
      : pneumonia_(pneumonia), before_(std::move(before)) {}
  Result<std::vector<Prediction>> infer(std::span<const float>, std::size_t) override {
    if (before_) before_();
    if (pneumonia_ < 0) return Error{ErrorCode::kInternal, "broken"};
    return std::vector<Prediction>{{.logits = {0.0F, std::log(pneumonia_ / (1 - pneumonia_))}}};
  }

 private:
  float pneumonia_;
  std::function<void()> before_;
};

ModelHandle model(const std::string& version, float pneumonia, std::function<void()> before = {}) {
  ModelCard card = test::tiny_card();
  card.classes = {"normal", "pneumonia"};
  card.version = version;
  return served(
      std::make_shared<const Diagnoser>(card, std::make_unique<TestBackend>(pneumonia, std::move(before))));
}

Catalogue catalogue(std::vector<ModelHandle> models, Labels labels = {}) {
  return {.models = std::move(models), .labels = std::move(labels), .statuses = {}};
}

Bytes picture(std::uint64_t seed = 1) {
  return encode_png(test::make_phantom({.width = 64, .height = 64, .seed = seed})).value();
}

/// The counts, once `done` says so.
ShadowCounts counts_when(const Shadow& shadow, const std::function<bool(const ShadowCounts&)>& done) {
  for (int i = 0; i < 1000 && !done(shadow.snapshot()); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return shadow.snapshot();
}

TEST(Shadow, CountsHowASecondVersionAgrees) {
  ModelSet models(catalogue({model("1", 0.9F), model("2", 0.8F)}));
  Shadow shadow(models, {"tiny", ""});
  models.add_observer(shadow);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(models.diagnose(*models.primary(), picture()).ok());
  ShadowCounts counts = counts_when(shadow, [](const auto& c) { return c.compared == 3; });
  EXPECT_EQ(counts.primary, "tiny 1");
  EXPECT_EQ(counts.shadow, "tiny 2");
  EXPECT_EQ(counts.taken, 3U);
  EXPECT_EQ(counts.agreed, 3U);
  EXPECT_NEAR(counts.mean_difference(), 10, 1e-4);

  // Another version in its place: counted from the start.
  models.replace(catalogue({model("1", 0.9F), model("3", 0.2F)}));
  EXPECT_TRUE(models.diagnose(*models.primary(), picture()).ok());
  counts = counts_when(shadow, [](const auto& c) { return c.compared == 1; });
  EXPECT_EQ(counts.shadow, "tiny 3");
  EXPECT_EQ(counts.agreed, 0U);
  EXPECT_NEAR(counts.mean_difference(), 70, 1e-4);
}

TEST(Shadow, IsAskedByVersionOrLabelAboutWhatThePrimaryAnswered) {
  ModelSet models(catalogue({model("1", 0.9F), model("2", 0.9F), model("3", 0.9F)},
                            {{"tiny", {{"canary", "2"}, {"next", "3"}}}}));
  const auto asked = [&](const char* which) { return Shadow(models, {"tiny", which}).asked(); };
  EXPECT_EQ((*asked(""))->version, "3");
  EXPECT_EQ((*asked("2"))->version, "2");
  EXPECT_EQ((*asked("canary"))->version, "2");
  EXPECT_FALSE(asked("blue").ok());
  EXPECT_FALSE(Shadow(models, {"adult", ""}).asked().ok());

  Shadow shadow(models, {"tiny", "next"});
  models.add_observer(shadow);
  EXPECT_TRUE(models.diagnose(**models.find("tiny", "2"), picture()).ok());
  EXPECT_TRUE(models.diagnose(**models.find("tiny", "3"), picture()).ok());
  EXPECT_TRUE(models.diagnose(*models.primary(), test::make_phantom()).ok());
  EXPECT_FALSE(models.diagnose(*models.primary(), std::span<const std::byte>()).ok());
  EXPECT_EQ(shadow.snapshot().taken, 0U);
  EXPECT_TRUE(models.diagnose(*models.primary(), picture()).ok());
  EXPECT_EQ(shadow.snapshot().taken, 1U);
}

TEST(Shadow, DropsWhatItCannotKeepUpWith) {
  std::mutex gate;
  std::unique_lock shut(gate);
  ModelSet models(
      catalogue({model("1", 0.9F), model("2", 0.9F, [&gate] { const std::scoped_lock pass(gate); })}));
  Shadow shadow(models, {"tiny", "2"}, {.max_waiting = 2});
  models.add_observer(shadow);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(models.diagnose(*models.primary(), picture()).ok());
  EXPECT_EQ(shadow.snapshot().taken, 2U);
  EXPECT_EQ(shadow.snapshot().dropped, 3U);
  shut.unlock();
  EXPECT_EQ(counts_when(shadow, [](const auto& c) { return c.compared == 2; }).compared, 2U);

  Shadow narrow(models, {"tiny", "2"}, {.max_bytes = 10});
  narrow.on_finding(*models.primary(), picture(), Finding{});
  EXPECT_EQ(narrow.snapshot().dropped, 1U);
}

TEST(Shadow, WaitsWhileAnswersAreBeingMade) {
  std::mutex gate;
  std::unique_lock shut(gate);
  const ModelHandle slow = model("3", 0.9F, [&gate] { const std::scoped_lock pass(gate); });
  ModelSet models(catalogue({model("1", 0.9F), model("2", 0.9F), slow}));
  Shadow shadow(models, {"tiny", "2"});
  std::jthread busy([&] { EXPECT_TRUE(models.diagnose(*slow, picture()).ok()); });
  while (models.running() == 0) std::this_thread::yield();
  shadow.on_finding(*models.primary(), picture(), Finding{});
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(shadow.snapshot().compared, 0U);
  shut.unlock();
  EXPECT_EQ(counts_when(shadow, [](const auto& c) { return c.compared == 1; }).compared, 1U);
}

TEST(Shadow, CountsPicturesThatOnlyThePrimaryReads) {
  ModelSet models(catalogue({model("1", 0.9F), model("2", -1)}));
  Shadow shadow(models, {"tiny", "2"});
  models.add_observer(shadow);
  EXPECT_TRUE(models.diagnose(*models.primary(), picture()).ok());
  const ShadowCounts counts = counts_when(shadow, [](const auto& c) { return c.failed == 1; });
  EXPECT_EQ(counts.failed, 1U);
  EXPECT_EQ(counts.compared, 0U);
  EXPECT_EQ(counts.mean_difference(), 0);
}

TEST(Shadow, TakesItsShareOfThePictures) {
  ModelSet models(catalogue({model("1", 0.9F), model("2", 0.9F)}));
  Shadow shadow(models, {"tiny", "2"}, {.share = 25, .max_waiting = 1000});
  for (std::uint64_t seed = 0; seed < 200; ++seed)
    shadow.on_finding(*models.primary(), picture(seed), Finding{});
  EXPECT_GT(shadow.snapshot().taken, 30U);
  EXPECT_LT(shadow.snapshot().taken, 75U);
}

TEST(Shadow, ReadsItsTarget) {
  EXPECT_EQ(parse_shadow_target("a").value().name, "a");
  EXPECT_EQ(parse_shadow_target("a").value().which, "");
  EXPECT_EQ(parse_shadow_target("a:2.0").value().which, "2.0");
  for (const char* text : {"", ":", "a:", ":x"})
    EXPECT_EQ(parse_shadow_target(text).error().code, ErrorCode::kInvalidArgument) << text;
}

}  // namespace
}  // namespace xray
