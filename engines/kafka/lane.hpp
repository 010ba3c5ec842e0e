// A lane carries partitions from one cluster to another, each record once and in order: what was read, and how far that
// is, are written in one transaction. A state machine without threads, clocks or sockets: answers and ticks go in,
// requests come out. In any doubt it begins anew: its transactional id is taken again, which ends or fences whatever
// was under way, and it goes on from the position that is committed then.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engines/kafka/encoder.hpp"
#include "engines/kafka/offsets.hpp"
#include "engines/kafka/route.hpp"
#include "engines/kafka/rules.hpp"
#include "engines/kafka/state.hpp"
#include "kafka/batch.hpp"
#include "kafka/exchange.hpp"

namespace twinspan::kafka_engine {

using Time = std::chrono::milliseconds;  // since any moment, never going back

enum class Start { kEarliest, kLatest };
enum class Side { kSource, kTarget };

struct LaneSettings {
  std::map<PartitionName, std::string> partitions{};  // and the target's topic of each
  std::string transactional_id{}, state_topic{};      // its partition 0
  std::string holder{};                               // who this process is, unlike any other
  // Where partitions begin that are carried from the very first time on. What comes to a lane later begins at its first
  // record.
  Start start = Start::kEarliest;
  bool into_existing = false;  // also where the target's partition has records already
  Time checkpoint{1000};       // a transaction's age at most
  Time transaction_timeout{60000}, request_timeout{35000}, fetch_wait{500}, retry{100}, retry_most{5000};
  std::optional<Time> source_request_timeout{};  // where the source has another one than request_timeout
  int64_t transaction_bytes = 64 << 20, buffer_bytes = 64 << 20;
  int32_t fetch_bytes = 4 << 20, partition_fetch_bytes = 1 << 20;
  int produces_at_once = 4;            // for each broker
  int64_t unpacked_bytes = 256 << 20;  // what a batch that is encoded anew may grow to
  RecordRules rules{};
  // What was committed where is told to; it outlives the lane. nullptr: the lane keeps one of its own.
  OffsetBook* book = nullptr;
  size_t history_bytes = 32 << 20;       // of the runs of all partitions, above which the oldest ones are forgotten
  size_t state_batch_bytes = 256 << 10;  // of the state in one batch, at most
  // Milliseconds since 1970, for ${now}. Nothing is decided by it.
  std::function<int64_t()> wall = [] {
    return std::chrono::duration_cast<Time>(std::chrono::system_clock::now().time_since_epoch()).count();
  };
  std::optional<int64_t> bytes_per_second{};     // to the target
  std::optional<int64_t> transaction_records{};  // a batch is not taken apart for it
  std::optional<int64_t> partitions_at_once{};   // with records on their way to the target
};

// `line`: requests of one line are served one by one. 0: records; 1: what must not wait behind them.
struct Ask {
  uint64_t ticket = 0;
  Side side = Side::kSource;
  int32_t broker = -1;  // -1: any
  int line = 0;
  kafka::AnyRequest request{};  // what it looks at lives until it is answered or its side is hung up
};

// Why a partition goes no further. `offset`: at the source, where it stands.
struct Halt {
  enum class Reason { kGap, kTruncated, kRecreated, kTooLarge, kOldFormat, kCorrupt, kRefused, kExisting, kTargetLost };
  Reason reason = Reason::kRefused;
  int64_t offset = 0;
  std::string message{};
};
std::string_view to_string(Halt::Reason reason);
// Whether records may lie at other offsets now than where they were carried from and to.
bool makes_offsets_others(Halt::Reason reason);

struct PartitionStatus {
  Position committed{};
  std::optional<int64_t> source_end{};  // the last stable offset, where it was heard since the beginning
  std::optional<Halt> halt{};
  int64_t records = 0, batches = 0, bytes = 0, dropped = 0;  // committed by this process; dropped: batches
  int64_t passed = 0, encoded = 0;                           // of `batches`, as they were and made anew
  int64_t encoded_records = 0;                               // of `records`
  int64_t filtered = 0;                                      // records that the rules left out
  int64_t foreign = 0;  // offsets that others took at the target since the beginning
  std::string waits{};  // what the target said, where it takes nothing of this partition at the moment

  void add(const PartitionStatus& other);  // its counts
};
struct LaneStatus {
  std::map<PartitionName, PartitionStatus> partitions{};
  int64_t commits = 0, begun_anew = 0;
  std::string last_doubt{};
  std::string holder{};  // whom the state named when it was read last; empty: nobody ever, or it was not read yet
  bool following = false;

  PartitionStatus total() const;  // the counts of all partitions
};

class Lane {
 public:
  explicit Lane(LaneSettings settings);

  void tick(Time now);  // whenever time went on, and once to begin
  void answered(Time now, uint64_t ticket, kafka::Answer answer);
  void lost(Time now, uint64_t ticket, const std::string& why);  // it is not known whether it was done
  void stop() { stopping_ = true; }                              // commit what was sent, then end
  // Once: every connection of that side is to be closed now, before anything else is done with it: nothing of before
  // may arrive there any more, as far as it has not left.
  bool take_hang_up(Side side) {
    return std::exchange(side == Side::kSource ? hang_up_source_ : hang_up_target_, false);
  }
  std::vector<Ask> take();  // what is to be sent now, in order
  Time wakes_at() const;    // tick then at the latest

  bool over() const { return phase_ == Phase::kOver; }
  const std::optional<Error>& failure() const { return failure_; }  // why it is over, if not by stop()
  bool at_end() const;  // all that can be carried of what the source had when it was last heard is committed
  const LaneStatus& status() const { return status_; }

 private:
  enum class Phase { kLookingUp, kFencing, kReadingState, kPlacing, kFollowing, kOver };
  enum class Purpose {
    kMetadata,
    kCoordinator,
    kInit,
    kStateBegin,
    kStateEnd,
    kStateFetch,
    kTargetEnds,
    kSourceStarts,
    kFetch,
    kSourceBegin,
    kAdd,
    kProduce,
    kStateProduce,
    kEnd,
  };
  // A stretch of the source's log: a batch to send, or, without bytes, one that is passed over. What is made of one
  // batch of the source may be several; up to the last of them the position lies inside it.
  struct Item {
    Position next;
    int64_t base = 0;
    int32_t count = 0;
    bool encoded = false;
    int64_t filtered = 0;
    std::vector<Run> runs{};  // where it is encoded: `target` counts from its first record
    std::span<char> bytes{};
    std::shared_ptr<std::string> owner{};
  };
  struct Sent {
    PartitionName partition;
    Item item;
  };
  struct Pending {
    Purpose purpose;
    Side side;
    int32_t broker;
    Time deadline;
    std::vector<Sent> items{};                // of a Produce
    std::vector<PartitionName> partitions{};  // that were asked for
  };
  struct Counts {
    int64_t records = 0, batches = 0, bytes = 0, encoded = 0, encoded_records = 0, filtered = 0;
  };
  struct Partition {
    std::string target_topic;
    kafka::Uuid source_id{}, target_id{};
    int32_t source_leader = -1, target_leader = -1, source_epoch = -1;
    bool placed = false;  // a state of it is known or will be by the next commit
    bool dirty = false;   // it is to be written
    PartitionState committed;
    Position staged, fetch_at;  // what the transaction under way will commit; what is asked for next
    std::optional<int64_t> source_end;
    std::deque<Item> queue;
    int64_t queued_bytes = 0;
    std::optional<int64_t> source_start, target_end;  // as they were heard when it was placed
    int32_t sequence = 0;
    int64_t target_next = 0;
    bool target_exact = false;  // and not just a lower bound
    std::vector<Run> fresh;     // of this transaction, acknowledged
    std::optional<Halt> halt;
    Time not_before{0};
    int suspicions = 0, corrupt = 0;  // in a row, of what has to be seen again before it is believed
    // In a row, of what passes by itself; it is left out until then, and holds no other up.
    int not_taken = 0;
    Time rests_until{0};
    // Of a batch with several records, in bytes: what the target took at most, and what is made smaller from then on
    // that it refused one.
    int64_t taken_bytes = 0;
    std::optional<int64_t> most_bytes;
    Counts sent;  // in this transaction
  };
  struct Transaction {
    enum class State { kNone, kOpen, kClosing, kState, kEnding };
    State state = State::kNone;
    Time began{0}, closing{0};
    std::set<PartitionName> added, adding;
    bool state_added = false;
    Time add_not_before{0};
    int64_t bytes = 0, records = 0;
    std::map<PartitionName, PartitionState> writes;  // what the state says once it is committed
    std::vector<PageName> forgets;                   // pages that it has no more then
    std::deque<std::string> state_batches;           // that are not sent yet
  };

  // lane.cpp
  void ask(Purpose purpose, Side side, int32_t broker, kafka::AnyRequest request, Pending pending);
  void ask(Purpose purpose, Side side, int32_t broker, kafka::AnyRequest request) {
    ask(purpose, side, broker, std::move(request), Pending{});
  }
  void begin_anew(const std::string& doubt);
  void overdue(Side side);
  void end_with(Error error);
  void move();  // whatever can be done now
  void heard(Pending& asked, kafka::Answer& answer);
  void failed(Pending& asked, const std::string& why);
  bool pending(Purpose purpose) const;
  bool pending(Purpose purpose, int32_t broker) const;
  void halt(const PartitionName& name, Halt::Reason reason, int64_t offset, std::string message);

  // lane_start.cpp
  void look_up();
  void heard_metadata(Side side, const kafka::MetadataResponse& answer);
  void heard_coordinator(const kafka::FindCoordinatorResponse& answer);
  void heard_init(const kafka::InitProducerIdResponse& answer);
  void heard_state_offsets(Purpose purpose, const kafka::ListOffsetsResponse& answer);
  void heard_state(kafka::Answer& answer);
  void fetch_state();
  void place();
  void heard_target_ends(const kafka::ListOffsetsResponse& answer);
  void heard_source_starts(const kafka::ListOffsetsResponse& answer);
  void ask_offsets(Purpose purpose, Side side, int64_t timestamp, const std::vector<PartitionName>& which);
  bool placed_by(const PartitionName& name, Partition& partition);
  bool remember(const PartitionName& name, const Partition& partition);

  // lane_source.cpp
  void fetch();
  void heard_fetch(Pending& asked, kafka::Answer& answer);
  void heard_records(const PartitionName& name, Partition& partition, kafka::FetchResponse::Topic::Partition& got,
                     const std::shared_ptr<std::string>& owner);
  // False: the partition stands still.
  bool encode(const PartitionName& name, Partition& partition, const kafka::BatchHead& head, std::string_view batch,
              bool may_pass, std::vector<Item>& items);
  void suspect(const PartitionName& name, Partition& partition, const std::string& what);
  void heard_fetch_error(const PartitionName& name, Partition& partition, kafka::ErrorCode error);
  void heard_source_begin(Pending& asked, const kafka::ListOffsetsResponse& answer);

  // lane_target.cpp
  void transact();
  bool should_close() const;
  bool full() const;  // the transaction under way takes no more records
  bool may_send();    // by the bytes of a second
  void add_partitions();
  void heard_added(const kafka::AddPartitionsToTxnResponse& answer);
  void produce();
  void heard_produced(Pending& asked, const kafka::ProduceResponse& answer);
  void too_large(const PartitionName& name, const Item& item, const std::string& why);
  void refused(const PartitionName& name, const Item& item, kafka::ErrorCode error, const std::string& message);
  void skip_empty(Partition& partition);

  // lane_state.cpp
  void write_state();
  void send_state();
  struct StateRecord {
    std::string key;
    std::optional<std::string> value;  // nullopt: it has this key no more
  };
  void add_pages(const PartitionName& name, Partition& partition, std::vector<StateRecord>& records) const;
  void heard_state_produced(const kafka::ProduceResponse& answer);
  void end_transaction();
  void heard_end(const kafka::EndTxnResponse& answer);
  void committed();

  LaneSettings settings_;
  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<OffsetBook> own_book_;
  OffsetBook* book_;
  size_t state_batch_bytes_;
  double allowance_ = 0;  // bytes that may be sent now; below 0: they were sent already
  Time allowed_at_{0};
  PartitionName served_;  // the last one of which something was sent
  Phase phase_ = Phase::kLookingUp;
  Time now_{0};
  Time look_up_at_{0}, retry_at_{0};  // the brokers are asked who leads; the phase is tried again
  Time backoff_{0};
  bool stopping_ = false, established_ = false;
  bool hang_up_target_ = false, hang_up_source_ = false;
  std::optional<Error> failure_;
  uint64_t next_ticket_ = 1;
  std::map<uint64_t, Pending> pending_;
  std::vector<Ask> out_;
  std::map<PartitionName, Partition> partitions_;
  std::map<kafka::Uuid, std::string> source_topics_;
  std::string source_cluster_, target_cluster_;
  bool source_known_ = false, target_known_ = false, targets_heard_ = false, sources_heard_ = false;
  bool claiming_ = false;  // the holder is to be written, before anything else
  kafka::Uuid state_topic_id_{};
  int32_t state_leader_ = -1, coordinator_ = -1;
  int64_t producer_id_ = -1;
  int16_t producer_epoch_ = -1;
  int64_t state_at_ = 0, state_end_ = 0;
  int32_t state_sequence_ = 0;
  std::map<std::string, std::string> state_;  // as it was read
  std::string state_batch_;                   // what is on its way
  Transaction transaction_;
  Time commit_not_before_{0}, last_commit_{0};
  std::set<PartitionName> pending_source_begin_;  // whose log's start was asked for
  int64_t buffered_ = 0;
  size_t turn_ = 0;  // whose partition stands first in a fetch
  LaneStatus status_;
};

}  // namespace twinspan::kafka_engine
