#include "serve/models/model_repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/file.h"
#include "diagnose/selftest.h"
#include "model/card.h"
#include "serve/models/model_watcher.h"
#include "support/temp_dir.h"
#include "support/tiny_package.h"

namespace xray {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

class ModelRepositoryTest : public testing::Test {
 protected:
  /// A package that can be served.
  void put(const std::string& folder, const std::string& version, const std::string& name = "tiny") const {
    ASSERT_TRUE(test::write_tiny_package(temp_ / folder, version, name).ok());
  }
  /// Its network is not the one that its card names.
  void put_broken(const std::string& folder, const std::string& version) const {
    put(folder, version);
    ASSERT_TRUE(write_file(temp_ / folder / "network.onnx", "not yet whole").ok());
  }
  void put_labels(const std::string& text) const {
    ASSERT_TRUE(write_file(temp_ / ModelRepository::kLabelsFile, text).ok());
  }

  /// Opens the folder; from then on models_ is what is served.
  Result<Done> open(const std::string& primary = "") {
    repository_ = std::make_unique<ModelRepository>(temp_.path(), primary, [this](const fs::path& package) {
      ++loads_;
      if (while_loading_) while_loading_();
      return load_and_try(package, {}, {.threads = 1});
    });
    auto catalogue = repository_->open();
    if (!catalogue) return catalogue.error();
    models_ = std::make_unique<ModelSet>(std::move(*catalogue));
    return Done{};
  }
  /// As often as a change takes to be seen.
  void look(int times = 2) {
    for (int i = 0; i < times; ++i)
      repository_->look([this](Catalogue catalogue) { models_->replace(std::move(catalogue)); });
  }

  /// "tiny 2, tiny 1": all, the primary first.
  std::string listed() const {
    std::string text;
    for (const ModelHandle& model : models_->list()) text += (text.empty() ? "" : ", ") + model->id();
    return text;
  }
  ModelStatus status(const std::string& package) const {
    for (const ModelStatus& status : models_->catalogue()->statuses)
      if (status.package == package) return status;
    ModelStatus none;
    none.package = "none";
    return none;
  }

  test::TempDir temp_;
  int loads_ = 0;
  std::function<void()> while_loading_;
  std::unique_ptr<ModelRepository> repository_;
  std::unique_ptr<ModelSet> models_;
};

TEST_F(ModelRepositoryTest, ServesTheNewestOfAllThatLiesThere) {
  put("tiny/1.9", "1.9");
  put("tiny/1.10", "1.10");
  put("anywhere", "1.2");
  ASSERT_TRUE(open().ok());
  EXPECT_EQ(listed(), "tiny 1.10, tiny 1.9, tiny 1.2");
  EXPECT_EQ((*models_->find("tiny"))->version, "1.10");
  EXPECT_EQ((*models_->find(ModelSet::kPrimary, "1.2"))->version, "1.2");
  EXPECT_EQ(models_->find("tiny", "3").error().code, ErrorCode::kNotFound);
}

TEST_F(ModelRepositoryTest, SaysWhyItCannotBegin) {
  EXPECT_EQ(open().error().code, ErrorCode::kNotFound);
  put_broken("a", "1");
  const auto broken = open();
  EXPECT_EQ(broken.error().code, ErrorCode::kBadModel);
  EXPECT_THAT(broken.error().message, HasSubstr("a: network.onnx"));
  put("a", "1");
  EXPECT_TRUE(open().ok());
  EXPECT_TRUE(open("tiny").ok());
  EXPECT_THAT(open("adult").error().message, HasSubstr("no model named 'adult'"));
  put("b", "1", "adult");
  const auto several = open();
  EXPECT_EQ(several.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(several.error().message, HasSubstr("(adult, tiny): --primary"));
  ASSERT_TRUE(open("tiny").ok());
  EXPECT_EQ(listed(), "tiny 1, adult 1");
  put_labels("[]");
  EXPECT_THAT(open("tiny").error().message, HasSubstr("labels.json: is not an object"));
}

TEST_F(ModelRepositoryTest, TakesWhatIsNewOnceItIsAtRest) {
  put("tiny/1", "1");
  ASSERT_TRUE(open().ok());
  put("tiny/2", "2");
  look(1);
  EXPECT_EQ(listed(), "tiny 1");
  EXPECT_EQ(status("tiny/2").state, ModelState::kLoading);
  look(1);
  EXPECT_EQ(listed(), "tiny 2, tiny 1");
  EXPECT_EQ(status("tiny/2").state, ModelState::kServing);
  look();
  EXPECT_EQ(loads_, 2);
}

TEST_F(ModelRepositoryTest, KeepsOutWhatIsBrokenUntilItChanges) {
  put("tiny/1", "1");
  ASSERT_TRUE(open().ok());
  put_broken("tiny/2", "2");
  look(4);
  EXPECT_EQ(listed(), "tiny 1");
  EXPECT_EQ(loads_, 2);
  EXPECT_EQ(status("tiny/2").state, ModelState::kRefused);
  EXPECT_EQ(status("tiny/2").version, "2");
  EXPECT_THAT(status("tiny/2").reason, HasSubstr("SHA-256 differs"));
  ASSERT_TRUE(write_file(temp_ / "tiny/2/network.onnx", test::tiny_network()).ok());
  look();
  EXPECT_EQ(listed(), "tiny 2, tiny 1");
  EXPECT_EQ(status("tiny/2").reason, "");
}

TEST_F(ModelRepositoryTest, RefusesAModelWhoseAnswersAreNoNumbers) {
  put("tiny/1", "1");
  ASSERT_TRUE(open().ok());
  ModelCard card = test::tiny_card();
  card.version = "2";
  OnnxWriter writer("nan");
  const std::vector<float> weights(std::size_t{3} * 64 * 64, std::numeric_limits<float>::quiet_NaN());
  const std::vector<float> bias(3);
  const std::string logits =
      writer.conv(writer.input("input", 1, 64, 64),
                  {.in = 1, .out = 3, .kernel = 64, .stride = 64, .weights = weights, .bias = bias});
  writer.output(writer.flatten(logits), "logits", {-1, 3});
  ASSERT_TRUE(write_package(temp_ / "tiny/2", card, {writer.finish()}).ok());
  look();
  EXPECT_EQ(listed(), "tiny 1");
  EXPECT_THAT(status("tiny/2").reason, HasSubstr("self-check: the logits are not numbers"));
}

TEST_F(ModelRepositoryTest, WaitsForTheRestOfACopy) {
  put("tiny/1", "1");
  put("elsewhere/.2", "2");
  ASSERT_TRUE(open().ok());
  fs::create_directory(temp_ / "tiny/2");
  fs::copy_file(temp_ / "elsewhere/.2/card.json", temp_ / "tiny/2/card.json");
  look();
  EXPECT_EQ(status("tiny/2").state, ModelState::kRefused);
  const std::string network = test::tiny_network();
  for (const std::size_t part : {network.size() / 2, network.size()}) {
    EXPECT_EQ(listed(), "tiny 1");
    ASSERT_TRUE(write_file(temp_ / "tiny/2/network.onnx", network.substr(0, part)).ok());
    look();
  }
  EXPECT_EQ(listed(), "tiny 2, tiny 1");
}

TEST_F(ModelRepositoryTest, DoesNotServeWhatWasWrittenToWhileItWasLoaded) {
  put("tiny/1", "1");
  ASSERT_TRUE(open().ok());
  put("tiny/2", "2");
  while_loading_ = [this] { ASSERT_TRUE(write_file(temp_ / "tiny/2/note.txt", "x").ok()); };
  look();
  EXPECT_EQ(listed(), "tiny 1");
  while_loading_ = nullptr;
  look();
  EXPECT_EQ(listed(), "tiny 2, tiny 1");
}

TEST_F(ModelRepositoryTest, SurvivesALoaderThatThrows) {
  put("tiny/1", "1");
  ASSERT_TRUE(open().ok());
  put("tiny/2", "2");
  while_loading_ = [] { throw std::runtime_error("out of everything"); };
  look();
  EXPECT_EQ(listed(), "tiny 1");
  EXPECT_EQ(status("tiny/2").reason, "out of everything");
}

TEST_F(ModelRepositoryTest, PutsAChangedPackageInThePlaceOfWhatItWas) {
  put("model", "1");
  ASSERT_TRUE(open().ok());
  const std::weak_ptr<const ServedModel> old = models_->primary();
  ModelHandle in_flight = old.lock();
  put("model", "2");
  look();
  EXPECT_EQ(listed(), "tiny 2");
  EXPECT_EQ(in_flight->diagnoser->card().version, "1");
  in_flight.reset();
  EXPECT_TRUE(old.expired());

  put_broken("model", "3");
  look();
  EXPECT_EQ(listed(), "tiny 2");
  EXPECT_EQ(status("model").state, ModelState::kServing);
  EXPECT_EQ(status("model").version, "2");
  EXPECT_THAT(status("model").reason, HasSubstr("SHA-256"));

  put("model", "4", "adult");
  look();
  EXPECT_EQ(listed(), "tiny 2");
  EXPECT_THAT(status("model").reason, HasSubstr("in the place of the last tiny"));
}

TEST_F(ModelRepositoryTest, LetsGoWhatWasRemovedButNotTheLast) {
  put("tiny/1", "1");
  put("tiny/2", "2");
  put("adult/1", "1", "adult");
  ASSERT_TRUE(open("tiny").ok());
  const std::weak_ptr<const ServedModel> second = models_->primary();
  fs::remove_all(temp_ / "tiny/2");
  look(1);
  EXPECT_EQ(listed(), "tiny 2, tiny 1, adult 1");
  look(1);
  EXPECT_EQ(listed(), "tiny 1, adult 1");
  EXPECT_TRUE(second.expired());

  fs::remove_all(temp_ / "tiny");
  look(3);
  EXPECT_EQ(listed(), "tiny 1, adult 1");
  put("tiny/3", "3");
  look();
  EXPECT_EQ(listed(), "tiny 3, adult 1");
  EXPECT_EQ(status("tiny/1").package, "none");

  fs::remove_all(temp_ / "adult");
  look();
  EXPECT_EQ(listed(), "tiny 3");
}

TEST_F(ModelRepositoryTest, TakesAnEmptyFolderForADiskThatIsAway) {
  put("mount/tiny/1", "1");
  put("mount/adult", "1", "adult");
  repository_ = std::make_unique<ModelRepository>(temp_ / "mount", "tiny", [](const fs::path& package) {
    return load_and_try(package, {}, {.threads = 1});
  });
  models_ = std::make_unique<ModelSet>(repository_->open().value());
  fs::rename(temp_ / "mount", temp_ / "away");
  look(3);
  EXPECT_EQ(listed(), "tiny 1, adult 1");
  fs::create_directory(temp_ / "mount");
  look(3);
  EXPECT_EQ(listed(), "tiny 1, adult 1");
  fs::remove(temp_ / "mount");
  fs::rename(temp_ / "away", temp_ / "mount");
  put("mount/tiny/2", "2");
  look();
  EXPECT_EQ(listed(), "tiny 2, tiny 1, adult 1");
}

TEST_F(ModelRepositoryTest, ServesAVersionFromOneFolderOnly) {
  put("a", "1");
  put("b", "1");
  ASSERT_TRUE(open().ok());
  EXPECT_EQ(listed(), "tiny 1");
  EXPECT_THAT(status("b").reason, HasSubstr("tiny 1 is served from a already"));
  look();
  EXPECT_EQ(loads_, 1);
  fs::remove_all(temp_ / "a");
  look();
  EXPECT_EQ(listed(), "tiny 1");
  EXPECT_EQ(status("b").state, ModelState::kServing);
  EXPECT_EQ(status("a").package, "none");
}

TEST_F(ModelRepositoryTest, LetsTheStableVersionAnswer) {
  put("1", "1");
  put("2", "2");
  put("3", "3");
  put_labels(R"({"tiny": {"stable": "1", "canary": "3"}})");
  ASSERT_TRUE(open().ok());
  EXPECT_EQ(listed(), "tiny 1, tiny 3, tiny 2");
  EXPECT_EQ((*models_->find("tiny"))->version, "1");
  EXPECT_EQ((*models_->find_label(ModelSet::kPrimary, "canary"))->version, "3");
  EXPECT_EQ(models_->find_label("tiny", "blue").error().code, ErrorCode::kNotFound);

  put_labels(R"({"tiny": {"canary": "3"}})");
  look(1);
  EXPECT_EQ(models_->primary()->version, "2");
  put_labels(R"({"tiny": {"stable": "3"}})");
  look(1);
  EXPECT_EQ(models_->primary()->version, "3");
  fs::remove(temp_ / ModelRepository::kLabelsFile);
  look(1);
  EXPECT_EQ(models_->primary()->version, "3");
  EXPECT_FALSE(models_->find_label("tiny", "stable").ok());
}

TEST_F(ModelRepositoryTest, ChangesNothingForLabelsThatMakeNoSense) {
  put("1", "1");
  put("2", "2");
  put_labels(R"({"tiny": {"stable": "1"}})");
  ASSERT_TRUE(open().ok());
  put_labels(R"({"tiny": {"stable": )");
  look();
  EXPECT_EQ(models_->primary()->version, "1");
  EXPECT_EQ((*models_->find_label("tiny", "stable"))->version, "1");
  // A version that is not there yet does not push the one that answers aside.
  put_labels(R"({"tiny": {"stable": "1.5"}})");
  look();
  EXPECT_EQ(models_->primary()->version, "1");
  put("1.5", "1.5");
  look();
  EXPECT_EQ(models_->primary()->version, "1.5");
}

TEST_F(ModelRepositoryTest, IsWatchedByAThread) {
  put("1", "1");
  ASSERT_TRUE(open().ok());
  ModelWatcher watcher(*repository_, *models_, std::chrono::milliseconds(20));
  put("2", "2");
  watcher.look_now();
  for (int i = 0; i < 500 && models_->primary()->version != "2"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(listed(), "tiny 2, tiny 1");
}

TEST_F(ModelRepositoryTest, RefusesAPackageThatFailsItsPinnedSelfTest) {
  put("old", "1");
  put("new", "2");
  ASSERT_TRUE(write_selftest(temp_ / "new", pin_selftest(temp_ / "new").value()));
  ModelCard card = load_package(temp_ / "new").value().card;
  card.calibration.intercept += 1;
  ASSERT_TRUE(write_package(temp_ / "new", card, {test::tiny_network()}));
  ASSERT_TRUE(open());
  EXPECT_EQ(listed(), "tiny 1");
  EXPECT_TRUE(std::ranges::any_of(models_->catalogue()->statuses, [](const ModelStatus& status) {
    return status.state == ModelState::kRefused && status.reason.starts_with("self-test: picture 1 of 6");
  }));
}

}  // namespace
}  // namespace xray
