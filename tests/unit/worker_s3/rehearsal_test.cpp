#include "worker/s3/rehearsal.hpp"

#include <gtest/gtest.h>

#include <atomic>

#include "core/wait.hpp"
#include "unit/s3_engine/fake_bucket.hpp"

namespace twinspan::worker_s3 {
namespace {

using s3::FakeBucket;
using std::chrono::milliseconds;

// Brings to the target what the primary has, until it is told to end.
class Copier {
 public:
  Copier(FakeBucket& from, FakeBucket& to)
      : thread_([&from, &to](const std::stop_token& stop) {
          do {
            const auto there = to.objects();
            for (const auto& [key, object] : from.objects())
              if (!there.contains("copy/" + key)) to.add("copy/" + key, object.body);
          } while (wait_for(milliseconds(1), stop));
        }) {}

 private:
  std::jthread thread_;
};

struct Rehearsed {
  FakeBucket primary{"primary"}, target{"target"};
  SystemClock clock;
  std::vector<Arrival> run(milliseconds patience = std::chrono::seconds(20)) {
    return rehearse("twinspan-drill/a-b", "body", {primary}, {{"nyc", {target, "copy/"}}}, {patience, milliseconds(50)},
                    clock, {});
  }
};

TEST(Rehearsal, ArrivesAndLeavesNothing) {
  Rehearsed it;
  it.primary.add("theirs", "theirs");
  std::vector<Arrival> arrivals;
  {
    Copier copier(it.primary, it.target);
    arrivals = it.run();
  }
  ASSERT_EQ(arrivals.size(), 1u);
  EXPECT_EQ(arrivals[0].error, "");
  EXPECT_TRUE(arrivals[0].took);
  EXPECT_EQ(it.primary.objects().size(), 1u);
  EXPECT_EQ(it.target.objects().size(), 1u) << "what arrived is gone again, and theirs is there";
  EXPECT_TRUE(it.target.objects().contains("copy/theirs"));
}

TEST(Rehearsal, WhatAnEarlierOneLeftBehindIsNoArrival) {
  Rehearsed it;
  it.target.add("copy/twinspan-drill/a-b", "of an earlier one");
  const auto arrivals = it.run(milliseconds(100));
  EXPECT_FALSE(arrivals[0].took);
  EXPECT_NE(arrivals[0].error.find("did not arrive"), std::string::npos);
  EXPECT_TRUE(it.primary.objects().empty());
  EXPECT_TRUE(it.target.objects().empty());
}

TEST(Rehearsal, APrimaryThatTakesNothingIsSaid) {
  Rehearsed it;
  it.primary.fault = [](const FakeBucket::Call& call) -> std::optional<Error> {
    if (call.name == "put") return Error{Code::kDenied, "read only"};
    return std::nullopt;
  };
  const auto arrivals = it.run();
  EXPECT_EQ(arrivals[0].error, "the primary did not take it: read only");
  EXPECT_FALSE(arrivals[0].took);
}

TEST(Rehearsal, WhatCanNotBeRemovedIsSaid) {
  Rehearsed it;
  it.target.fault = [](const FakeBucket::Call& call) -> std::optional<Error> {
    if (call.name == "remove") return Error{Code::kDenied, "no deletes"};
    return std::nullopt;
  };
  Copier copier(it.primary, it.target);
  const auto arrivals = it.run();
  EXPECT_TRUE(arrivals[0].took);
  EXPECT_EQ(arrivals[0].error, "copy/twinspan-drill/a-b could not be removed again: no deletes");
}

}  // namespace
}  // namespace twinspan::worker_s3
