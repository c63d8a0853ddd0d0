#include "tune/study_store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "store/test_databases.h"

namespace xray::test {
namespace {

/// Proposes configurations that are told apart by their number, without end.
class CountingTuner final : public Tuner {
 public:
  Proposal propose(const std::vector<Trial>& trials) const override {
    return NewTrial{Configuration{{"n", trials.size() + 1}}};
  }
};

class Study : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped()) return;
    store_ = open("first");
    ASSERT_TRUE(store_->create({{"a", 1}}));
  }
  std::unique_ptr<StudyStore> open(const std::string& name) const {
    auto store = StudyStore::open(url_, name);
    EXPECT_TRUE(store) << (store ? "" : store.error().message);
    return std::move(*store);
  }
  static StudyStore::ClaimRules rules(const std::string& worker, std::int64_t most = 0) {
    return {.worker = worker, .is_gone = [](const std::string&) { return false; }, .max_trials = most};
  }

  CountingTuner tuner_;
  std::unique_ptr<StudyStore> store_;
};

TEST_P(Study, KeepsTheSettingsItWasMadeWith) {
  EXPECT_EQ(store_->create({{"a", 2}})->at("a"), 1);
  EXPECT_EQ(open("other")->settings().error().code, ErrorCode::kNotFound);
}

TEST_P(Study, GivesBackATrialWhole) {
  Trial trial = *store_->claim(rules("w"), tuner_)->trial;
  trial.state = TrialState::kPaused;
  trial.epochs = 3;
  trial.place = BracketPlace{1, 2, 0};
  trial.figures = {{"auc", 0.123456789012345}, {"ece", std::nan("")}};
  trial.progress = {{1, 0.5}, {1'000'001, 0.75}};
  trial.failures = 2;
  trial.message = "ü \"quoted\"";
  trial.seconds = 1.25;
  ASSERT_TRUE(*store_->touch(trial));
  const Trial got = store_->trials()->at(0);
  EXPECT_EQ(to_json(got), to_json(trial));
  EXPECT_EQ(got.figures.at("auc"), 0.123456789012345);
  EXPECT_TRUE(std::isnan(got.figures.at("ece")));
}

TEST_P(Study, GivesEachTrialToOneWorker) {
  std::vector<std::thread> workers;
  std::mutex mutex;
  std::multiset<std::int64_t> taken;
  for (int w = 0; w < 4; ++w)
    workers.emplace_back([&, w] {
      for (;;) {
        const auto claimed = store_->claim(rules("w" + std::to_string(w), 20), tuner_);
        ASSERT_TRUE(claimed) << claimed.error().message;
        if (!claimed->trial) break;
        Trial trial = *claimed->trial;
        {
          const std::lock_guard guard(mutex);
          taken.insert(trial.number);
        }
        trial.state = TrialState::kDone;
        ASSERT_TRUE(*store_->touch(trial));
      }
    });
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(taken.size(), 20U);
  EXPECT_EQ(std::set(taken.begin(), taken.end()).size(), 20U);
}

TEST_P(Study, TakesUpADeadWorkersTrial) {
  const Trial mine = *store_->claim(rules("dead"), tuner_)->trial;
  auto others = rules("alive", 1);
  EXPECT_TRUE(store_->claim(others, tuner_)->wait) << "the other may live";
  others.is_gone = [](const std::string& worker) { return worker == "dead"; };
  const auto taken = store_->claim(others, tuner_);
  ASSERT_TRUE(taken->trial);
  EXPECT_EQ(taken->trial->number, mine.number);
  EXPECT_EQ(taken->trial->configuration, mine.configuration);
  // Should the first one live after all, it learns that the trial is another's.
  EXPECT_FALSE(*store_->touch(mine));
  EXPECT_EQ(store_->trials()->at(0).worker, "alive");
}

TEST_P(Study, TakesUpATrialNobodyTouchedForLong) {
  ASSERT_TRUE(store_->claim(rules("away"), tuner_)->trial);
  auto others = rules("alive", 1);
  others.stale = std::chrono::seconds(-1);
  EXPECT_TRUE(store_->claim(others, tuner_)->trial);
}

TEST_P(Study, GivesWaitingTrialsFirst) {
  Trial trial = *store_->claim(rules("w"), tuner_)->trial;
  trial.state = TrialState::kWaiting;
  ASSERT_TRUE(*store_->touch(trial));
  EXPECT_EQ(store_->claim(rules("x"), tuner_)->trial->number, trial.number);
  EXPECT_EQ(store_->claim(rules("x"), tuner_)->trial->number, trial.number + 1);
}

TEST_P(Study, ImportsOnce) {
  Trial trial{
      .configuration = {{"n", 1}}, .state = TrialState::kDone, .figures = {{"auc", 0.9}}, .from = "old 7"};
  EXPECT_EQ(*store_->import({trial}), 1);
  EXPECT_EQ(*store_->import({trial}), 0);
  EXPECT_EQ(store_->trials()->at(0).state, TrialState::kImported);
  // They are no trials of this study's own.
  EXPECT_TRUE(store_->claim(rules("w", 1), tuner_)->trial);
}

TEST_P(Study, KeepsCurvesOfEachEpochOnce) {
  ASSERT_TRUE(store_->claim(rules("w"), tuner_)->trial);
  for (const double auc : {0.5, 0.6})
    ASSERT_TRUE(store_->add(
        {.trial = 1, .execution = 1, .fold = 2, .epoch = 3, .figures = {{"validation_AUC", auc}}}));
  const auto curves = *store_->curves();
  ASSERT_EQ(curves.size(), 1U);
  EXPECT_EQ(curves[0].figures.at("validation_AUC"), 0.6);
}

TEST_P(Study, StudiesInOneDatabaseKnowNothingOfEachOther) {
  const auto second = open("second");
  ASSERT_TRUE(second->create({{"b", 1}}));
  ASSERT_TRUE(store_->claim(rules("w"), tuner_)->trial);
  EXPECT_TRUE(second->trials()->empty());
  EXPECT_EQ(second->claim(rules("w"), tuner_)->trial->number, 1);
}

TEST_P(Study, CountsTheTimeOfItsWorkers) {
  ASSERT_TRUE(store_->tick());
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  const double seconds = *store_->tick();
  EXPECT_GE(seconds, 0.05);
  EXPECT_LT(seconds, 10);
}

INSTANTIATE_TEST_SUITE_P(Databases, Study, testing::ValuesIn(database_kinds()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace xray::test
