#include "serve/log/trace_context.h"

#include <gtest/gtest.h>

#include <set>

#include "common/random.h"

namespace xray {
namespace {

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kSpan = "00f067aa0ba902b7";
const std::string kField = "00-" + kTrace + "-" + kSpan + "-01";

TEST(TraceContext, TakesTheCallersErrandOver) {
  const auto parent = parse_traceparent(kField);
  ASSERT_TRUE(parent);
  EXPECT_EQ(parent->trace_id, kTrace);
  EXPECT_EQ(parent->parent_id, kSpan);
  EXPECT_TRUE(parent->sampled);
  const TraceContext trace = begin_span(parent);
  EXPECT_EQ(trace.trace_id, kTrace);
  EXPECT_EQ(trace.parent_id, kSpan);
  EXPECT_NE(trace.span_id, kSpan);
}

TEST(TraceContext, BeginsAnErrandOfItsOwnWithoutACaller) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    const TraceContext trace = begin_span({});
    EXPECT_TRUE(trace.parent_id.empty());
    EXPECT_TRUE(parse_traceparent(to_traceparent(trace)));
    ids.insert(trace.trace_id);
    ids.insert(trace.span_id);
  }
  EXPECT_EQ(ids.size(), 2000U);
}

TEST(TraceContext, PassesOnWhetherToRecordAndNoOtherFlag) {
  const std::string head = "00-" + kTrace + "-" + kSpan;
  EXPECT_TRUE(to_traceparent(begin_span(parse_traceparent(head + "-ff"))).ends_with("-01"));
  EXPECT_TRUE(to_traceparent(begin_span(parse_traceparent(head + "-fe"))).ends_with("-00"));
}

TEST(TraceContext, RefusesWhatIsMalformed) {
  const std::string zeros(32, '0');
  for (const std::string& field : {
           std::string(),
           kField.substr(1),
           kField + " ",
           " " + kField,
           kField + "-00",                                   // version 00 ends there
           "ff" + kField.substr(2),                          // no version
           "0g" + kField.substr(2),                          //
           "00-" + zeros + "-" + kSpan + "-01",              // no trace
           "00-" + kTrace + "-" + zeros.substr(16) + "-01",  // no parent
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-" + kSpan + "-01",
           "00-" + kTrace + "-" + kSpan + "-0x",
           "00_" + kTrace + "-" + kSpan + "-01",
           "00-" + kTrace + "_" + kSpan + "-01",
           "00-" + kTrace + "-" + kSpan + "_01",
           "00-" + kTrace + "-" + kSpan + "-1",
       })
    EXPECT_FALSE(parse_traceparent(field)) << field;
}

TEST(TraceContext, ReadsWhatItKnowsOfVersionsToCome) {
  const std::string next = "01" + kField.substr(2);
  EXPECT_TRUE(parse_traceparent(next));
  EXPECT_EQ(parse_traceparent(next + "-what.ever")->trace_id, kTrace);
  EXPECT_FALSE(parse_traceparent(next + "what"));
}

TEST(TraceContext, NeverTakesOverAnythingButTwoIdentifiers) {
  Random random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string field = kField;
    for (std::uint64_t n = random.below(4); n > 0; --n)
      field[random.below(field.size())] = static_cast<char>(random.below(256));
    if (random.below(4) == 0) field.resize(random.below(60), '-');
    const auto parent = parse_traceparent(field);
    if (!parent) continue;
    EXPECT_EQ(parent->trace_id, field.substr(3, 32));
    EXPECT_EQ(parent->parent_id, field.substr(36, 16));
    EXPECT_EQ((parent->trace_id + parent->parent_id).find_first_not_of("0123456789abcdef"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace xray
