// Where partitions begin, between two clusters in memory that do what they are asked at once.
#include <gtest/gtest.h>

#include "engines/kafka/lane.hpp"
#include "kafka/records.hpp"
#include "unit/kafka_engine/model_cluster.hpp"

namespace twinspan::kafka_engine {
namespace {

class Clusters {
 public:
  Clusters() { target_.create("state", 1); }

  void create(const std::string& topic, int partitions) {
    source_.create(topic, partitions);
    target_.create(topic, partitions);
    for (int p = 0; p < partitions; ++p) settings_.partitions[{topic, p}] = topic;
  }
  void write(const std::string& topic, int partition, const std::string& value) {
    kafka::BatchBuilder builder;
    builder.add({.time = now_, .key = "k", .value = value});
    source_.append(topic, partition, builder.finish({.id = -1}));
  }
  // A process that carries all there is, and ends.
  LaneStatus carry(Start start, const std::string& holder = "one") {
    settings_.start = start;
    settings_.holder = holder;
    settings_.transactional_id = "lane";
    settings_.state_topic = "state";
    Lane lane(settings_);
    for (int step = 0; step < 3000 && !lane.over(); ++step) {
      lane.tick(Time{++now_});
      source_.tick(now_);
      target_.tick(now_);
      for (Ask& one : lane.take()) {
        auto& cluster = one.side == Side::kSource ? source_ : target_;
        lane.answered(Time{now_}, one.ticket, cluster.handle(std::max(one.broker, 0), one.request));
      }
      // Only what it said since it follows counts: before that there is nothing to be at the end of.
      if (lane.status().commits > 0 && lane.at_end()) lane.stop();
    }
    EXPECT_TRUE(lane.over()) << lane.status().last_doubt;
    for (int step = 0; step < 3000 && target_.anything_open(); ++step) target_.tick(++now_);  // markers come late
    return lane.status();
  }
  size_t carried(const std::string& topic, int partition) const { return target_.committed(topic, partition).size(); }

 private:
  ModelCluster source_{"source", 1, 1}, target_{"target", 1, 2};
  LaneSettings settings_;
  int64_t now_ = 0;
};

TEST(LaneStart, LatestCountsForWhatIsThereWhenItFirstStarts_KF1) {
  Clusters clusters;
  clusters.create("old", 1);
  clusters.write("old", 0, "before");
  clusters.carry(Start::kLatest);
  EXPECT_EQ(clusters.carried("old", 0), 0u);
  clusters.write("old", 0, "after");
  clusters.create("new", 2);
  clusters.write("new", 1, "first");
  clusters.carry(Start::kLatest, "another process");
  EXPECT_EQ(clusters.carried("old", 0), 1u);
  EXPECT_EQ(clusters.carried("new", 0), 0u);
  EXPECT_EQ(clusters.carried("new", 1), 1u) << "a partition that came later begins at its first record";
}

TEST(LaneStart, ALinkThatFindsNoTopicHasStartedAllTheSame) {
  Clusters clusters;
  EXPECT_EQ(clusters.carry(Start::kLatest).commits, 1);
  clusters.create("new", 1);
  clusters.write("new", 0, "first");
  const LaneStatus status = clusters.carry(Start::kLatest, "another process");
  EXPECT_EQ(clusters.carried("new", 0), 1u);
  EXPECT_EQ(status.holder, "one") << "whom it found";
}

TEST(LaneStart, EarliestCarriesAll) {
  Clusters clusters;
  clusters.create("old", 1);
  clusters.write("old", 0, "before");
  clusters.carry(Start::kEarliest);
  EXPECT_EQ(clusters.carried("old", 0), 1u);
}

}  // namespace
}  // namespace twinspan::kafka_engine
