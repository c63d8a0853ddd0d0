#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "store/sample_finding.h"
#include "store/store.h"
#include "store/test_databases.h"
#include "store/uuid.h"

namespace xray::test {
namespace {

/// What every Store has to do, whatever lies behind it.
class StoreConformance : public DatabaseTest {
 protected:
  void SetUp() override {
    DatabaseTest::SetUp();
    if (IsSkipped()) return;
    auto opened = open_store(url_);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }

  std::unique_ptr<Store> store_;
};

TEST_P(StoreConformance, KeepsWhatWasRejectedOrLeftUndecided) {
  for (const Verdict verdict : {Verdict::kRejected, Verdict::kUncertain}) {
    Finding finding{.verdict = verdict, .model = "chest 1.0", .width = 640, .height = 480};
    finding.reasons = {verdict == Verdict::kRejected ? Reason::kNoLungs : Reason::kNearThreshold};
    const auto put = store_->put(finding, "f.png", {});
    ASSERT_TRUE(put) << put.error().message;
    const StoredFinding got = store_->get(put->id).value();
    EXPECT_EQ(got.finding.verdict, verdict);
    EXPECT_EQ(got.finding.reasons, finding.reasons);
  }
}

TEST_P(StoreConformance, GivesBackWhatWasPut) {
  const Finding finding = sample_finding();
  const StoredFinding put = store_->put(finding, "Röntgen 1.jpeg", sample_picture(1000)).value();
  EXPECT_TRUE(is_uuid(put.id));
  EXPECT_EQ(put.created_at.size(), 24U);
  const StoredFinding got = store_->get(put.id).value();
  EXPECT_EQ(got.id, put.id);
  EXPECT_EQ(got.created_at, put.created_at);
  EXPECT_EQ(got.file_name, "Röntgen 1.jpeg");
  EXPECT_EQ(got.finding.verdict, finding.verdict);
  EXPECT_EQ(got.finding.reasons, finding.reasons);
  EXPECT_DOUBLE_EQ(got.finding.pneumonia, finding.pneumonia);
  EXPECT_DOUBLE_EQ(got.finding.normal, finding.normal);
  EXPECT_DOUBLE_EQ(got.finding.bacterial, finding.bacterial);
  EXPECT_DOUBLE_EQ(got.finding.viral, finding.viral);
  EXPECT_EQ(got.finding.model, finding.model);
  EXPECT_DOUBLE_EQ(got.finding.timing.decode, finding.timing.decode);
  EXPECT_DOUBLE_EQ(got.finding.timing.preprocess, finding.timing.preprocess);
  EXPECT_DOUBLE_EQ(got.finding.timing.infer, finding.timing.infer);
  EXPECT_DOUBLE_EQ(got.finding.timing.total, finding.timing.total);
  EXPECT_EQ(got.finding.width, finding.width);
  EXPECT_EQ(got.finding.height, finding.height);
  EXPECT_EQ(got.finding.heat.width, finding.heat.width);
  EXPECT_EQ(got.finding.heat.height, finding.heat.height);
  EXPECT_EQ(got.finding.heat.values, finding.heat.values);
  EXPECT_EQ(store_->picture(put.id).value(), sample_picture(1000));
}

TEST_P(StoreConformance, KeepsSeverity) {
  Finding finding = sample_finding();
  EXPECT_FALSE(store_->get(store_->put(finding, "", {}).value().id).value().finding.severity);
  Severity severity{
      .extent = 23.5, .right_extent = 30, .left_extent = 17, .score = 6.25, .low = 2, .high = 10.5};
  severity.zones[5] = {.extent = 80, .score = 2.5};
  severity.margins = {.score = 4.25, .score_change = 1, .zone_change = 0.5, .extent_change = 6};
  finding.severity = severity;
  const Finding got = store_->get(store_->put(finding, "", {}).value().id).value().finding;
  ASSERT_TRUE(got.severity);
  const Severity kept = got.severity.value_or(Severity{});
  EXPECT_DOUBLE_EQ(kept.extent, 23.5);
  EXPECT_DOUBLE_EQ(kept.left_extent, 17);
  EXPECT_DOUBLE_EQ(kept.score, 6.25);
  EXPECT_DOUBLE_EQ(kept.low, 2);
  EXPECT_DOUBLE_EQ(kept.high, 10.5);
  EXPECT_DOUBLE_EQ(kept.zones[5].extent, 80);
  EXPECT_DOUBLE_EQ(kept.zones[5].score, 2.5);
  EXPECT_DOUBLE_EQ(kept.margins.zone_change, 0.5);
}

TEST_P(StoreConformance, KeepsUnknownSubtypesAndMissingHeatMapsAsSuch) {
  Finding finding = sample_finding();
  finding.bacterial = finding.viral = -1;
  finding.heat = {};
  const auto id = store_->put(finding, "", {}).value().id;
  const Finding got = store_->get(id).value().finding;
  EXPECT_LT(got.bacterial, 0);
  EXPECT_LT(got.viral, 0);
  EXPECT_TRUE(got.heat.empty());
  EXPECT_TRUE(store_->picture(id).value().empty());
}

TEST_P(StoreConformance, TellsUnknownIdsAsNotFound) {
  const std::string unknown = make_uuid7();
  EXPECT_EQ(store_->get(unknown).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->picture(unknown).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->remove(unknown).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->get("' OR 1=1 --").error().code, ErrorCode::kNotFound);
}

TEST_P(StoreConformance, RemovesFindingAndPicture) {
  const auto kept = store_->put(sample_finding(1), "a", sample_picture(10)).value().id;
  const auto gone = store_->put(sample_finding(2), "b", sample_picture(20)).value().id;
  ASSERT_TRUE(store_->remove(gone));
  EXPECT_EQ(store_->get(gone).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->picture(gone).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->remove(gone).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->picture(kept).value().size(), 10U);
  EXPECT_EQ(store_->list({.limit = 10}).value().findings.size(), 1U);
}

TEST_P(StoreConformance, ListsNewestFirstPageByPage) {
  std::vector<std::string> newest_first;
  for (int i = 0; i < 7; ++i)
    newest_first.insert(newest_first.begin(), store_->put(sample_finding(i), "f", {}).value().id);

  std::vector<std::string> seen;
  std::optional<std::string> before;
  std::vector<std::size_t> sizes;
  do {
    const FindingPage page = store_->list({.limit = 3, .before = before}).value();
    sizes.push_back(page.findings.size());
    for (const auto& stored : page.findings) seen.push_back(stored.id);
    before = page.next_before;
  } while (before);
  EXPECT_EQ(seen, newest_first);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{3, 3, 1}));
}

TEST_P(StoreConformance, EndsExactlyFullPagesWithoutANextOne) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(store_->put(sample_finding(i), "f", {}));
  EXPECT_FALSE(store_->list({.limit = 4}).value().next_before);
  EXPECT_TRUE(store_->list({.limit = 3}).value().next_before);
}

TEST_P(StoreConformance, PagesOnAcrossAFindingThatWasRemoved) {
  std::vector<std::string> ids;
  ids.reserve(4);
  for (int i = 0; i < 4; ++i) ids.push_back(store_->put(sample_finding(i), "f", {}).value().id);
  const auto before = store_->list({.limit = 2}).value().next_before;
  ASSERT_TRUE(before);
  ASSERT_TRUE(store_->remove(before.value_or("")));
  const FindingPage rest = store_->list({.limit = 2, .before = before}).value();
  ASSERT_EQ(rest.findings.size(), 2U);
  EXPECT_EQ(rest.findings[0].id, ids[1]);
}

TEST_P(StoreConformance, BoundsThePage) {
  EXPECT_EQ(store_->list({.limit = 0}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(store_->list({.limit = 201}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(store_->list({.limit = 200}).value().findings.empty());
}

TEST_P(StoreConformance, TakesPutsFromManyThreads) {
  constexpr int kThreads = 8;
  constexpr int kEach = 10;
  std::vector<std::vector<std::string>> ids(kThreads);
  {
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t)
      threads.emplace_back([this, t, &ids] {
        for (int i = 0; i < kEach; ++i) {
          const auto id = store_->put(sample_finding(i), "f", sample_picture(5000, t)).value().id;
          EXPECT_EQ(store_->picture(id).value(), sample_picture(5000, t));
          ids[static_cast<std::size_t>(t)].push_back(id);
        }
      });
  }
  std::set<std::string> all;
  for (const auto& mine : ids) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), static_cast<std::size_t>(kThreads * kEach));
  EXPECT_EQ(store_->list({.limit = 200}).value().findings.size(), all.size());
}

TEST_P(StoreConformance, ListsOneVerdictPageByPage) {
  std::vector<std::string> newest_first;
  for (int i = 0; i < 9; ++i) {
    const auto id = store_->put(sample_finding(i), "f", {}).value().id;
    if (i % 2 == 1) newest_first.insert(newest_first.begin(), id);
  }
  const FindingPage first = store_->list({.limit = 3, .verdict = Verdict::kNormal}).value();
  const FindingPage rest =
      store_->list({.limit = 3, .before = first.next_before, .verdict = Verdict::kNormal}).value();
  std::vector<std::string> seen;
  for (const FindingPage* page : {&first, &rest})
    for (const auto& stored : page->findings) {
      EXPECT_EQ(stored.finding.verdict, Verdict::kNormal);
      seen.push_back(stored.id);
    }
  EXPECT_EQ(seen, newest_first);
  EXPECT_FALSE(rest.next_before);
  EXPECT_TRUE(store_->list({.verdict = Verdict::kRejected}).value().findings.empty());
}

TEST_P(StoreConformance, ListsASpanOfTime) {
  std::vector<StoredFinding> put;
  put.reserve(4);
  for (int i = 0; i < 4; ++i) {
    put.push_back(store_->put(sample_finding(i), "f", {}).value());
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
  const auto read = [](const std::string& text) { return parse_time(text).value_or(ReadTime{}).time; };
  const auto time = [&](int i) { return read(put[static_cast<std::size_t>(i)].created_at); };
  const auto ids = [&](const FindingQuery& query) {
    std::vector<std::string> found;
    const FindingPage page = store_->list(query).value();
    for (const auto& stored : page.findings) found.push_back(stored.id);
    return found;
  };
  EXPECT_EQ(ids({.from = time(1), .to = time(3)}), (std::vector<std::string>{put[2].id, put[1].id}));
  EXPECT_EQ(ids({.from = time(3)}), (std::vector<std::string>{put[3].id}));
  EXPECT_EQ(ids({.to = time(1)}), (std::vector<std::string>{put[0].id}));
  EXPECT_EQ(ids({.before = put[2].id, .from = time(1)}), (std::vector<std::string>{put[1].id}));
  EXPECT_EQ(ids({.verdict = put[1].finding.verdict, .from = time(1)}),
            (std::vector<std::string>{put[3].id, put[1].id}));
  EXPECT_TRUE(ids({.from = time(3), .to = time(1)}).empty());
  EXPECT_EQ(ids({.from = {}, .to = read("9999-12-31")}).size(), 4U);
  EXPECT_TRUE(ids({.to = read("0001-01-01")}).empty());
}

TEST_P(StoreConformance, AnswersPing) {
  EXPECT_TRUE(store_->ping());
}

INSTANTIATE_TEST_SUITE_P(Databases, StoreConformance, testing::ValuesIn(database_kinds()),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace xray::test
