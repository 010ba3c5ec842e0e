// The lane between two clusters in memory, under faults by seed: connections that break before or after a request was
// carried out, leaders that move, processes that die, and old ones that go on beside their successors. TWINSPAN_SEEDS:
// how many.
#include "engines/kafka/lane.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "kafka/records.hpp"
#include "unit/kafka_engine/model_cluster.hpp"

namespace twinspan::kafka_engine {
namespace {

constexpr int kPartitions = 2;

struct Faults {
  bool any = true;
  ModelMistakes source{}, target{};
};

class World {
 public:
  World(unsigned seed, const Faults& faults)
      : random_(seed), source_("source", 2, seed + 1), target_("target", 2, seed + 2), faults_(faults) {
    source_.mistakes = faults.source;
    target_.mistakes = faults.target;
    target_.transaction_timeout = 1500;
    source_.create("t", kPartitions);
    target_.create("t", kPartitions);
    target_.create("state", 1);
    start();
  }

  // Empty: every record that the source committed is at the target, once and in order. Else what is wrong.
  std::string run() {
    for (int step = 0; step < 400; ++step) {
      write();
      if (faults_.any && chance(40)) trouble();
      advance();
    }

    for (const auto& [producer, open] : std::exchange(open_, {})) source_.end(producer, 0, "t", open, chance(2));
    for (int step = 0; step < 6000; ++step) {
      advance();
      if (lanes_.back().lane->at_end() && !target_.anything_open()) {
        if (calls_.empty() || step > 200) break;
      }
      if (lanes_.back().lane->over()) start();  // an older process that woke
    }
    Lane& lane = *lanes_.back().lane;
    if (!lane.at_end()) return "it does not come to its end: " + lane.status().last_doubt;
    for (int p = 0; p < kPartitions; ++p) {
      const auto read = source_.committed("t", p), written = target_.committed("t", p);
      if (read != written) {
        size_t at = 0;
        while (at < read.size() && at < written.size() && read[at] == written[at]) ++at;
        return "partition " + std::to_string(p) + ": " + std::to_string(read.size()) + " batches, " +
               std::to_string(written.size()) + " carried, the first other one " + std::to_string(at);
      }
      if (lane.status().partitions.at({"t", p}).committed.offset != source_.stable("t", p))
        return "the position is not the end";
      carried += static_cast<int64_t>(read.size());
    }
    for (const Running& one : lanes_) begun_anew += one.lane ? one.lane->status().begun_anew : 0;
    return {};
  }

  int64_t carried = 0, begun_anew = 0;  // batches; doubts of lanes that were not killed

 private:
  struct Running {
    std::unique_ptr<Lane> lane;
    int connection = 0;  // raised when a side is hung up
  };
  struct Call {
    size_t lane;
    Ask ask;
    std::vector<std::string> owned{};  // bytes of a Produce, as they would lie in a socket
    int64_t arrives = 0, answered = 0;
    bool done = false, lost = false;
    std::optional<kafka::Answer> answer{};
  };

  bool chance(unsigned one_in) { return random_() % one_in == 0; }

  void start() {
    LaneSettings settings{
        .transactional_id = "lane", .state_topic = "state", .holder = "process " + std::to_string(lanes_.size())};
    for (int p = 0; p < kPartitions; ++p) settings.partitions[{"t", p}] = "t";
    settings.checkpoint = Time{60};
    settings.retry = Time{5};
    settings.retry_most = Time{100};
    settings.request_timeout = Time{400};
    settings.partition_fetch_bytes = 600;
    settings.transaction_bytes = 4000;
    lanes_.push_back({std::make_unique<Lane>(settings)});
  }

  void write() {
    const int partition = static_cast<int>(random_() % kPartitions);
    const auto batch = [&](const kafka::ProducerMark& producer) {
      kafka::BatchBuilder builder;
      for (unsigned n = 0; n <= random_() % 4; ++n)
        builder.add({.time = now_, .key = "k", .value = std::to_string(written_++)});
      return builder.finish(producer);
    };
    if (chance(3)) source_.append("t", partition, batch({.id = -1}));
    if (chance(4)) {
      if (open_.size() < 2) {
        const int64_t producer = 5 + static_cast<int64_t>(random_() % 3);
        if (!open_.contains(producer)) {
          open_[producer] = partition;
          source_.append("t", partition, batch({.id = producer, .epoch = 0, .sequence = 0, .transactional = true}));
        }
      } else {
        const auto one = std::next(open_.begin(), static_cast<std::ptrdiff_t>(random_() % open_.size()));
        if (chance(2))
          source_.append("t", one->second, batch({.id = one->first, .epoch = 0, .sequence = 0, .transactional = true}));
        source_.end(one->first, 0, "t", one->second, chance(2));
        open_.erase(one);
      }
    }
  }

  void trouble() {
    switch (random_() % 5) {
      case 0: return start();  // beside the one that runs, which goes on
      case 1:                  // killed, and what it had sent may arrive still
        for (Running& one : lanes_) one.lane.reset();
        return start();
      case 2: source_.move_leaders(); return;
      case 3: target_.move_leaders(); return;
      case 4:  // a cut: some requests never arrive, of others only the answer is lost
        for (Call& call : calls_)
          if (call.lane + 1 == lanes_.size() && chance(2)) call.lost = true;
        return;
    }
  }

  void advance() {
    now_ += 1 + static_cast<int64_t>(random_() % 6);
    source_.tick(now_);
    target_.tick(now_);
    for (size_t at = 0; at < lanes_.size(); ++at) {
      if (!lanes_[at].lane || lanes_[at].lane->over()) continue;
      lanes_[at].lane->tick(Time{now_});
      send(at);
    }
    std::vector<Call> rest, due;
    for (Call& call : calls_) (call.arrives > now_ && call.answered > now_ ? rest : due).push_back(std::move(call));
    calls_ = std::move(rest);
    for (Call& call : due) {
      if (!call.done && !(call.lost && chance(2))) {
        call.answer = (call.ask.side == Side::kSource ? source_ : target_)
                          .handle(call.ask.broker < 0 ? 0 : call.ask.broker, call.ask.request);
      }
      call.done = true;
      Running& running = lanes_[call.lane];
      if (!running.lane || running.lane->over()) continue;
      if (call.lost || !call.answer) {
        running.lane->lost(Time{now_}, call.ask.ticket, "cut");
      } else {
        running.lane->answered(Time{now_}, call.ask.ticket, std::move(*call.answer));
      }
      send(call.lane);
    }
  }

  void send(size_t at) {
    for (Ask& one : lanes_[at].lane->take()) {
      Call call{.lane = at, .ask = std::move(one)};
      if (auto* produce = std::get_if<kafka::ProduceRequest>(&call.ask.request)) {
        for (auto& topic : produce->topics)
          for (auto& row : topic.partitions) call.owned.emplace_back(row.records);
        size_t n = 0;
        for (auto& topic : produce->topics)
          for (auto& row : topic.partitions) row.records = call.owned[n++];
      }
      // One after another on a line: never before those that were sent earlier.
      int64_t& line = lines_[{at, call.ask.side, call.ask.broker, call.ask.line}];
      call.arrives = call.answered = line = std::max(line, now_ + 1 + static_cast<int64_t>(random_() % 8));
      calls_.push_back(std::move(call));
    }
  }

  std::mt19937 random_;
  ModelCluster source_, target_;
  Faults faults_;
  int64_t now_ = 0, written_ = 0;
  std::vector<Running> lanes_;
  std::vector<Call> calls_;
  std::map<int64_t, int> open_;  // transactions of the source's writers: producer → partition
  std::map<std::tuple<size_t, Side, int32_t, int>, int64_t> lines_;
};

unsigned seeds(unsigned otherwise) {
  const char* asked = std::getenv("TWINSPAN_SEEDS");
  return asked ? std::max(1u, static_cast<unsigned>(std::atoi(asked)) / 4) : otherwise;
}

TEST(Lane, CarriesEachRecordOnceAndInOrderWithoutFaults_KF5) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    World world(seed, {.any = false});
    ASSERT_EQ(world.run(), "") << "seed " << seed;
    EXPECT_GT(world.carried, 50);
  }
}

TEST(Lane, CarriesEachRecordOnceAndInOrderThroughFaults_KF5) {
  int64_t carried = 0, begun_anew = 0;
  const unsigned count = seeds(300);
  for (unsigned seed = 0; seed < count; ++seed) {
    World world(seed, {});
    ASSERT_EQ(world.run(), "") << "seed " << seed;
    carried += world.carried;
    begun_anew += world.begun_anew;
  }
  EXPECT_GT(carried, 50 * count);
  EXPECT_GT(begun_anew, count) << "faults were few";
}

// A checker that finds nothing proves nothing.
TEST(Lane, PlantedMistakesAreFound) {
  const auto found = [](const Faults& faults) {
    for (unsigned seed = 0; seed < 60; ++seed)
      if (World(seed, faults).run() != "") return true;
    return false;
  };
  EXPECT_TRUE(found({.source = {.aborted_untold = true}})) << "aborted records are carried";
  EXPECT_TRUE(found({.source = {.markers_hidden = true}})) << "a lag of one stays";
  EXPECT_TRUE(found({.target = {.commits_late_positions = true}})) << "a commit that was none";
  EXPECT_TRUE(found({.target = {.state_end_early = true}})) << "an old position is gone on from";
  EXPECT_TRUE(found({.target = {.predecessor_goes_on = true, .doubles_allowed = true}})) << "nobody is fenced";
}

}  // namespace
}  // namespace twinspan::kafka_engine
