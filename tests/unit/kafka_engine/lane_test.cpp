// The lane between two clusters in memory, under faults by seed: connections that break before or after a request was
// carried out, leaders that move, processes that die, and old ones that go on beside their successors. TWINSPAN_SEEDS:
// how many.
#include "engines/kafka/lane.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <random>
#include <set>

#include "kafka/records.hpp"
#include "unit/kafka_engine/model_cluster.hpp"
#include "unit/kafka_engine/slow_rules.hpp"

namespace twinspan::kafka_engine {
namespace {

constexpr int kPartitions = 2;
constexpr int64_t kWall = 1700000000123;
constexpr const char* kWallText = "2023-11-14T22:13:20.123Z";

struct Faults {
  bool any = true;
  ModelMistakes source{}, target{};
  // Records of every kind at the source, and these rules, or, where they are wrong in the lane, others in it.
  std::optional<RecordRules> rules{}, rules_of_lane{};
  std::optional<size_t> max_message_bytes{};  // at the target
  std::optional<int64_t> bytes_per_second{}, transaction_records{}, partitions_at_once{};
  std::optional<size_t> history_bytes{};
};

class World {
 public:
  World(unsigned seed, const Faults& faults)
      : random_(seed), source_("source", 2, seed + 1), target_("target", 2, seed + 2), faults_(faults) {
    source_.mistakes = faults.source;
    target_.mistakes = faults.target;
    target_.transaction_timeout = 1500;
    if (faults.max_message_bytes) target_.max_message_bytes = *faults.max_message_bytes;
    source_.create("t", kPartitions);
    target_.create("t", kPartitions);
    target_.create("state", 1);
    start();
  }

  // Empty: every record that the source committed is at the target, once and in order, and each offset of the source is
  // known to lie where it does, also to who comes later. Else what is wrong.
  std::string run() {
    std::string wrong = carry();
    if (wrong.empty()) wrong = compare_offsets();
    if (!wrong.empty()) return wrong;
    for (Running& one : lanes_) one.lane.reset();
    start();
    for (int step = 0; step < 6000 && !lanes_.back().lane->at_end(); ++step) advance();
    if (!lanes_.back().lane->at_end()) return "a later one does not come to its end";
    wrong = compare_offsets();
    return wrong.empty() ? wrong : "read again: " + wrong;
  }

  int64_t carried = 0, begun_anew = 0;  // batches, with rules records; doubts of lanes that were not killed
  int64_t filtered = 0;
  int64_t translated = 0, forgotten = 0;
  LaneStatus status;

 private:
  std::string carry() {
    for (int step = 0; step < 400; ++step) {
      write();
      if (faults_.any && chance(40)) trouble();
      advance();
    }

    for (const auto& [producer, open] : std::exchange(open_, {})) source_.end(producer, 0, "t", open, chance(2));
    for (int p = 0; p < kPartitions && faults_.rules; ++p)
      source_.append("t", p, of_any_kind());  // no cleaner takes away the last one
    for (int step = 0; step < 6000; ++step) {
      advance();
      if (lanes_.back().lane->at_end() && !target_.anything_open()) {
        if (calls_.empty() || step > 200) break;
      }
      if (lanes_.back().lane->over()) start();  // an older process that woke
    }
    Lane& lane = *lanes_.back().lane;
    if (!lane.at_end()) return "it does not come to its end: " + lane.status().last_doubt;
    for (const auto& [name, partition] : lane.status().partitions)
      if (partition.halt) return "halted: " + partition.halt->message;
    if (!limit_.empty()) return limit_;
    status = lane.status();
    if (faults_.rules) return compare_by_rules();
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

  std::vector<Row> rows(const ModelCluster& cluster, int partition, bool by_the_rules) {
    std::vector<Row> rows;
    for (const std::string& batch : cluster.committed_batches("t", partition))
      for (const Row& row : rows_of(kafka::read_head(batch), batch))
        if (!by_the_rules || !faults_.rules ||
            twinspan::kafka_engine::by_rules(*faults_.rules, row, "t", partition, kWallText))
          rows.push_back(row);
    return rows;
  }

  // Each offset of the source, by what both sides hold alone.
  std::string compare_offsets() {
    for (int p = 0; p < kPartitions; ++p) {
      const std::vector<Row> ours = rows(source_, p, true), theirs = rows(target_, p, false);
      if (ours.size() != theirs.size()) return "other records";
      size_t next = 0;
      bool known = false;
      for (int64_t at = 0; at <= source_.stable("t", p); ++at) {
        while (next < ours.size() && ours[next].offset < at) ++next;
        const Translated said = lanes_.back().book->translate({"t", p}, at);
        const auto wrong = [&](const char* what) {
          return "partition " + std::to_string(p) + ", offset " + std::to_string(at) + ": " + what + ", " +
                 std::to_string(said.offset);
        };
        if (said.how == Translated::How::kForgotten && faults_.history_bytes && !known) {
          ++forgotten;
          continue;
        }
        known = true;
        ++translated;
        if (said.how == Translated::How::kUnknown || said.how == Translated::How::kForgotten) return wrong("not known");
        if ((said.how == Translated::How::kRecord) != (next < ours.size())) return wrong("a record, or the end");
        if (next < ours.size() && said.offset != theirs[next].offset) return wrong("another record");
        if (next == ours.size() &&
            (said.offset > target_.stable("t", p) || (!theirs.empty() && said.offset <= theirs.back().offset)))
          return wrong("another end");
      }
    }
    return {};
  }

  // What became of each record that the source committed, by the slow model.
  std::string compare_by_rules() {
    for (int p = 0; p < kPartitions; ++p) {
      std::vector<Row> expected, written;
      for (const std::string& batch : source_.committed_batches("t", p))
        for (const Row& row : rows_of(kafka::read_head(batch), batch)) {
          auto became = by_rules(*faults_.rules, row, "t", p, kWallText);
          filtered += !became;
          if (became) expected.push_back(std::move(*became));
        }
      for (const std::string& batch : target_.committed_batches("t", p))
        for (Row& row : rows_of(kafka::read_head(batch), batch)) written.push_back(std::move(row));
      for (auto* rows : {&expected, &written})
        for (Row& row : *rows) row.offset = 0;
      size_t at = 0;
      while (at < expected.size() && at < written.size() && expected[at] == written[at]) ++at;
      if (expected != written)
        return "partition " + std::to_string(p) + ": " + std::to_string(expected.size()) + " records expected, " +
               std::to_string(written.size()) + " carried, the first other one " + std::to_string(at);
      if (status.partitions.at({"t", p}).committed.offset != source_.stable("t", p))
        return "the position is not the end";
      carried += static_cast<int64_t>(expected.size());
    }
    for (const Running& one : lanes_) begun_anew += one.lane ? one.lane->status().begun_anew : 0;
    return {};
  }

  struct Running {
    std::unique_ptr<OffsetBook> book;
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
    if (faults_.rules) settings.rules = faults_.rules_of_lane.value_or(*faults_.rules);
    settings.wall = [] { return kWall; };
    settings.bytes_per_second = faults_.bytes_per_second;
    settings.transaction_records = faults_.transaction_records;
    settings.partitions_at_once = faults_.partitions_at_once;
    if (faults_.history_bytes) settings.history_bytes = *faults_.history_bytes;
    auto book = std::make_unique<OffsetBook>();
    settings.book = book.get();
    lanes_.push_back({std::move(book), std::make_unique<Lane>(settings)});
  }

  void write() {
    const int partition = static_cast<int>(random_() % kPartitions);
    const auto batch = [&](const kafka::ProducerMark& producer) {
      kafka::BatchBuilder builder;
      for (unsigned n = 0; n <= random_() % 4; ++n)
        builder.add({.time = now_, .key = "k", .value = std::to_string(written_++)});
      return builder.finish(producer);
    };
    if (chance(3)) source_.append("t", partition, faults_.rules ? of_any_kind() : batch({.id = -1}));
    if (faults_.rules && chance(6)) source_.skip("t", partition, 1 + static_cast<int64_t>(random_() % 5));
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

  std::string of_any_kind() {
    std::vector<Row> rows(1 + random_() % 5);
    StoredShape shape{.codec = static_cast<int>(random_() % 5)};
    shape.bits = std::array<int16_t, 4>{0, 0, 8, 64}[random_() % 4];
    for (Row& row : rows) {
      row.time = chance(9) ? -1 : now_ + static_cast<int64_t>(random_() % 100);
      row.key = "k";
      if (!chance(8)) row.value = std::to_string(written_) + one_of(random_, {" keep", " drop", " keep drop", ""});
      row.headers = {{"n", std::to_string(written_++)}, {"region", chance(2) ? "west" : "east"}};
      if (chance(4)) row.headers.emplace_back("region", std::nullopt);
      shape.deltas.push_back(shape.last_delta);
      shape.last_delta += 1 + (chance(3) ? static_cast<int>(random_() % 3) : 0);
    }
    --shape.last_delta;
    return stored_batch(rows, shape);
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
      if (std::holds_alternative<kafka::EndTxnRequest>(call.ask.request)) records_ = 0;
      if (auto* produce = std::get_if<kafka::ProduceRequest>(&call.ask.request)) {
        if (!faults_.any) look_at_limits(*produce);
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

  // Of one lane without faults.
  void look_at_limits(const kafka::ProduceRequest& produce) {
    std::set<int> partitions;
    for (const auto& topic : produce.topics)
      for (const auto& row : topic.partitions) {
        if (topic.name != "t") continue;
        partitions.insert(row.index);
        if (first_sent_ < 0) first_sent_ = now_;
        const auto allowed = static_cast<double>(faults_.bytes_per_second.value_or(0)) *
                             (static_cast<double>(now_ - first_sent_) / 1000 + 0.1);
        if (faults_.bytes_per_second && static_cast<double>(bytes_) > allowed)
          limit_ =
              "more bytes than allowed: " + std::to_string(bytes_) + " after " + std::to_string(now_ - first_sent_);
        bytes_ += static_cast<int64_t>(row.records.size());
        if (faults_.transaction_records && records_ >= *faults_.transaction_records)
          limit_ = "more records in a transaction than allowed";
        records_ += kafka::read_head(row.records).count;
      }
    if (!faults_.partitions_at_once || partitions.empty()) return;
    for (const Call& call : calls_)
      if (const auto* other = std::get_if<kafka::ProduceRequest>(&call.ask.request))
        for (const auto& topic : other->topics)
          for (const auto& row : topic.partitions)
            if (topic.name == "t") partitions.insert(row.index);
    if (static_cast<int64_t>(partitions.size()) > *faults_.partitions_at_once)
      limit_ = "more partitions at once than allowed";
  }

  std::string limit_;  // that was not kept
  int64_t bytes_ = 0, records_ = 0, first_sent_ = -1;
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

RecordRules some_rules(unsigned seed) {
  std::mt19937 random(seed);
  const auto half = [&] { return random() % 2 == 0; };
  RecordRules rules{.source = "west"};
  if (half()) rules.exclude_patterns = {"drop"};
  if (half()) rules.include_patterns = {"keep", "1"};
  if (random() % 4 == 0) rules.headers = {{"region", "west"}};
  if (half()) rules.map_headers = {{"region", {{"west", "east"}}}};
  if (half()) rules.remove_headers = {"n"};
  if (half()) rules.add_headers = {{"place", "${source}/${topic}/${partition}/${offset}"}, {"at", "${now}"}};
  rules.codec = static_cast<Codec>(random() % 6);
  if (half()) rules.batch_records = 1 + static_cast<int32_t>(random() % 3);
  return rules;
}

TEST(Lane, WithRulesWhatTheyKeepIsCarriedOnceAndInOrderWithoutFaults_KF3_KF4) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    World world(seed, {.any = false, .rules = seed < 5 ? RecordRules{} : some_rules(seed)});
    ASSERT_EQ(world.run(), "") << "seed " << seed;
    EXPECT_GT(world.carried, 10);
    int64_t records = 0, filtered = 0, batches = 0, by_route = 0;
    for (const auto& [name, partition] : world.status.partitions) {
      records += partition.records;
      filtered += partition.filtered;
      batches += partition.batches;
      by_route += partition.passed + partition.encoded;
      EXPECT_LE(partition.encoded_records, partition.records);
      EXPECT_GT(partition.encoded, 0);
    }
    EXPECT_EQ(records, world.carried);
    EXPECT_EQ(filtered, world.filtered);
    EXPECT_EQ(batches, by_route);
  }
}

TEST(Lane, WithRulesWhatTheyKeepIsCarriedOnceAndInOrderThroughFaults_KF3_KF4) {
  int64_t carried = 0, begun_anew = 0;
  const unsigned count = seeds(200);
  for (unsigned seed = 0; seed < count; ++seed) {
    // A third of them into a target that takes less in one batch than the source did.
    Faults faults{.rules = some_rules(seed)};
    if (seed % 3 == 0) faults.max_message_bytes = 300;
    World world(seed, faults);
    ASSERT_EQ(world.run(), "") << "seed " << seed;
    carried += world.carried;
    begun_anew += world.begun_anew;
  }
  EXPECT_GT(carried, 30 * count);
  EXPECT_GT(begun_anew, count) << "faults were few";
}

// What is kept of long ago is bound, and what is forgotten is said to be.
TEST(Lane, OldOffsetsAreForgottenAndNotGuessed_KF6) {
  int64_t forgotten = 0, translated = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    World world(seed, {.rules = some_rules(seed), .history_bytes = 100});
    ASSERT_EQ(world.run(), "") << "seed " << seed;
    forgotten += world.forgotten;
    translated += world.translated;
  }
  EXPECT_GT(forgotten, 100);
  EXPECT_GT(translated, 100);
}

TEST(Lane, LimitsAreKept_KF7) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    World slow(seed, {.any = false, .bytes_per_second = 20000});
    EXPECT_EQ(slow.run(), "") << "seed " << seed;
    World few(seed, {.any = false, .transaction_records = 5});
    EXPECT_EQ(few.run(), "") << "seed " << seed;
    World one(seed, {.any = false, .rules = RecordRules{}, .partitions_at_once = 1});
    EXPECT_EQ(one.run(), "") << "seed " << seed;
    World all(seed, {.rules = some_rules(seed), .bytes_per_second = 30000});
    EXPECT_EQ(all.run(), "") << "seed " << seed;
  }
}

// A record that the target does not take holds its partition there, and what lies before it in its batch is carried.
TEST(Lane, ASingleRecordThatIsTooLargeHaltsBeforeIt_KF7) {
  for (const int codec : {0, 3}) {
    ModelCluster source("source", 1, 1), target("target", 1, 2);
    target.max_message_bytes = 400;
    source.create("t", 1);
    target.create("t", 1);
    target.create("state", 1);
    std::string noise(1000, 'x');
    std::mt19937 random(5);
    for (char& one : noise) one = static_cast<char>(random());
    std::vector<Row> rows(8, Row{.time = 5, .value = "small"});
    rows[5].value = noise;
    source.append("t", 0, stored_batch(rows, {.codec = codec, .deltas = {0, 1, 2, 3, 4, 5, 6, 7}, .last_delta = 7}));
    LaneSettings settings{.partitions = {{{"t", 0}, "t"}},
                          .transactional_id = "lane",
                          .state_topic = "state",
                          .holder = "one",
                          .retry = Time{1},
                          .retry_most = Time{2}};
    Lane lane(settings);
    for (int64_t now = 0; now < 3000 && !lane.at_end(); ++now) {
      source.tick(now);
      target.tick(now);
      lane.tick(Time{now});
      std::set<Side> hung_up;  // what was asked there looks at nothing any more
      for (const Ask& one : lane.take()) {
        if (hung_up.contains(one.side)) continue;
        lane.answered(Time{now}, one.ticket,
                      (one.side == Side::kSource ? source : target).handle(std::max(one.broker, 0), one.request));
        for (const Side side : {Side::kSource, Side::kTarget})
          if (lane.take_hang_up(side)) hung_up.insert(side);
      }
    }
    ASSERT_TRUE(lane.at_end()) << lane.status().last_doubt;
    const PartitionStatus& status = lane.status().partitions.at({"t", 0});
    ASSERT_TRUE(status.halt);
    EXPECT_EQ(status.halt->reason, Halt::Reason::kTooLarge);
    EXPECT_EQ(status.halt->offset, 5);
    EXPECT_EQ(status.committed.offset, 5);
    EXPECT_EQ(status.records, 5);
  }
}

// A topic that may not be read or written halts alone, and says so; the others are carried.
TEST(Lane, ATopicWithoutARightHoldsNoOtherUp_KF1) {
  ModelCluster source("source", 1, 1), target("target", 1, 2);
  LaneSettings settings{
      .transactional_id = "lane", .state_topic = "state", .holder = "one", .retry = Time{1}, .retry_most = Time{2}};
  target.create("state", 1);
  for (const char* topic : {"free", "unreadable", "unwritable"}) {
    source.create(topic, 1);
    target.create(topic, 1);
    source.append(topic, 0,
                  stored_batch({Row{.time = 5, .value = "one"}}, {.codec = 0, .deltas = {0}, .last_delta = 0}));
    settings.partitions[{topic, 0}] = topic;
  }
  source.unreadable = {"unreadable"};
  target.unwritable = {"unwritable"};
  Lane lane(settings);
  for (int64_t now = 0; now < 3000; ++now) {
    source.tick(now);
    target.tick(now);
    lane.tick(Time{now});
    std::set<Side> hung_up;
    for (const Ask& one : lane.take()) {
      if (hung_up.contains(one.side)) continue;
      lane.answered(Time{now}, one.ticket,
                    (one.side == Side::kSource ? source : target).handle(std::max(one.broker, 0), one.request));
      for (const Side side : {Side::kSource, Side::kTarget})
        if (lane.take_hang_up(side)) hung_up.insert(side);
    }
  }
  EXPECT_EQ(lane.status().partitions.at({"free", 0}).committed.offset, 1) << lane.status().last_doubt;
  for (const char* topic : {"unreadable", "unwritable"}) {
    const PartitionStatus& status = lane.status().partitions.at({topic, 0});
    ASSERT_TRUE(status.halt) << topic;
    EXPECT_EQ(status.halt->reason, Halt::Reason::kRefused);
    EXPECT_EQ(status.halt->offset, 0);
    EXPECT_NE(status.halt->message.find("TOPIC_AUTHORIZATION_FAILED"), std::string::npos) << status.halt->message;
  }
  EXPECT_LT(lane.status().begun_anew, 5);
}

// Nor does one of which the target takes nothing for a while; it goes on by itself.
TEST(Lane, ATopicWithTooFewReplicasInSyncHoldsNoOtherUp_KF5) {
  ModelCluster source("source", 1, 1), target("target", 1, 2);
  LaneSettings settings{
      .transactional_id = "lane", .state_topic = "state", .holder = "one", .retry = Time{1}, .retry_most = Time{50}};
  settings.checkpoint = Time{5};
  target.create("state", 1);
  const std::string batch =
      stored_batch({Row{.time = 5, .value = "one"}}, {.codec = 0, .deltas = {0}, .last_delta = 0});
  for (const char* topic : {"free", "short"}) {
    source.create(topic, 1);
    target.create(topic, 1);
    settings.partitions[{topic, 0}] = topic;
  }
  source.append("short", 0, batch);
  target.few_in_sync = {"short"};
  Lane lane(settings);
  int64_t written = 0, carried_at_once = 0;
  const auto at = [&](const char* topic) { return lane.status().partitions.at({topic, 0}); };
  for (int64_t now = 0; now < 4000; ++now) {
    if (now == 3000) target.few_in_sync.clear();
    if (now >= 500 && now < 3000 && now % 100 == 0) source.append("free", 0, batch), ++written;
    if (now >= 500 && now < 3000 && now % 100 == 99) carried_at_once += at("free").committed.offset == written;
    if (now == 2999) {
      EXPECT_NE(at("short").waits.find("NOT_ENOUGH_REPLICAS"), std::string::npos);
    }
    source.tick(now);
    target.tick(now);
    lane.tick(Time{now});
    std::set<Side> hung_up;
    for (const Ask& one : lane.take()) {
      if (hung_up.contains(one.side)) continue;
      lane.answered(Time{now}, one.ticket,
                    (one.side == Side::kSource ? source : target).handle(std::max(one.broker, 0), one.request));
      for (const Side side : {Side::kSource, Side::kTarget})
        if (lane.take_hang_up(side)) hung_up.insert(side);
    }
  }
  EXPECT_GT(carried_at_once, written * 3 / 4) << "of " << written << " before the next one was written";
  EXPECT_EQ(at("free").committed.offset, written);
  EXPECT_EQ(at("short").committed.offset, 1) << lane.status().last_doubt;
  EXPECT_EQ(at("short").waits, "");
  EXPECT_FALSE(at("short").halt);
  EXPECT_LT(lane.status().begun_anew, 20);
}

TEST(Lane, RulesThatAreWrongEndIt) {
  LaneSettings settings{.partitions = {{{"t", 0}, "t"}}, .rules = {.include_patterns = {"("}}};
  Lane lane(settings);
  ASSERT_TRUE(lane.over());
  EXPECT_NE(lane.failure()->message.find("includePatterns"), std::string::npos);
  lane.tick(Time{5});
  EXPECT_TRUE(lane.take().empty());
}

// A checker that finds nothing proves nothing.
TEST(Lane, PlantedMistakesAreFound) {
  const auto found = [](const Faults& faults) {
    for (unsigned seed = 0; seed < 60; ++seed)
      if (World(seed, faults).run() != "") return true;
    return false;
  };
  const RecordRules rules{.exclude_patterns = {"drop"}, .add_headers = {{"at", "${offset}"}}};
  EXPECT_FALSE(found({.rules = rules}));
  EXPECT_TRUE(found({.rules = rules, .rules_of_lane = RecordRules{.add_headers = rules.add_headers}})) << "no filter";
  EXPECT_TRUE(found({.rules = rules, .rules_of_lane = RecordRules{.exclude_patterns = {"drop"}}})) << "no header";
  EXPECT_TRUE(found({.target = {.state_end_early = true}, .rules = rules})) << "an old position is gone on from";
  EXPECT_TRUE(found({.source = {.aborted_untold = true}})) << "aborted records are carried";
  EXPECT_TRUE(found({.source = {.markers_hidden = true}})) << "a lag of one stays";
  EXPECT_TRUE(found({.target = {.commits_late_positions = true}})) << "a commit that was none";
  EXPECT_TRUE(found({.target = {.state_end_early = true}})) << "an old position is gone on from";
  EXPECT_TRUE(found({.target = {.predecessor_goes_on = true, .doubles_allowed = true}})) << "nobody is fenced";
}

}  // namespace
}  // namespace twinspan::kafka_engine
