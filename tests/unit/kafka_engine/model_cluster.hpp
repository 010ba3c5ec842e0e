// A cluster in memory for simulations, as strict as a real one where a lane depends on it: sequences, epochs,
// transactions with markers that come late, batches that say of themselves what is in them, the last stable offset,
// answers that begin early and end in a cut batch.
#pragma once
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "kafka/batch.hpp"
#include "kafka/exchange.hpp"

namespace twinspan::kafka_engine {

struct ModelMistakes {
  bool predecessor_goes_on = false;     // InitProducerId neither ends nor fences what was before
  bool aborted_untold = false;          // a Fetch does not tell of aborted transactions
  bool commits_late_positions = false;  // EndTxn says that it committed, and aborts
  bool doubles_allowed = false;         // no sequence and no epoch is looked at
  bool state_end_early = false;         // the end of a log is told without its last commit
  bool markers_hidden = false;          // positions over markers cannot be seen
};

class ModelCluster {
 public:
  ModelCluster(std::string id, int brokers, unsigned seed) : id_(std::move(id)), brokers_(brokers), random_(seed) {}

  ModelMistakes mistakes;
  int64_t transaction_timeout = 60000;
  size_t max_message_bytes = 1 << 20;
  std::set<std::string> unwritable, unreadable;  // topics that the lane's user has no right to
  std::set<std::string> few_in_sync;             // topics of which nothing is taken at the moment

  void create(const std::string& topic, int partitions);
  // Of writers other than the lane. `aborted`: it was written in a transaction that is aborted later.
  void append(const std::string& topic, int partition, std::string batch);
  void skip(const std::string& topic, int partition, int64_t offsets);  // of which the cleaner left nothing
  void end(int64_t producer, int16_t epoch, const std::string& topic, int partition, bool commit);
  void move_leaders();
  void tick(int64_t now);  // transactions that time out or get their markers
  kafka::Answer handle(int32_t broker, const kafka::AnyRequest& request);

  // What a read_committed consumer sees: of each batch what lies behind its head, and its times.
  std::vector<std::string> committed(const std::string& topic, int partition) const;
  std::vector<std::string> committed_batches(const std::string& topic, int partition) const;
  int64_t stable(const std::string& topic, int partition) const;
  bool anything_open() const;

 private:
  struct Stored {
    kafka::BatchHead head;
    std::string bytes;
  };
  struct Aborted {
    int64_t producer, first, marker;
  };
  struct ProducerState {
    int16_t epoch = -1;
    int32_t next_sequence = 0;
  };
  struct Log {
    std::vector<Stored> batches;
    int64_t end = 0;
    int leader = 0;
    std::map<int64_t, ProducerState> producers;
    std::map<int64_t, int64_t> open;  // producer → first offset
    std::vector<Aborted> aborted;
  };
  struct Transaction {
    int64_t producer;
    int16_t epoch = -1;
    enum class State { kEmpty, kOngoing, kCommitting, kAborting, kCommitted, kAborted } state = State::kEmpty;
    std::set<std::pair<std::string, int>> partitions;
    int64_t began = 0, markers_at = 0;
  };
  using Error = kafka::ErrorCode;

  Log* find(const std::string& topic, int partition);
  const Log& log(const std::string& topic, int partition) const {
    return topics_.at(topic).at(static_cast<size_t>(partition));
  }
  static int64_t stable_of(const Log& log);
  static bool is_sound(const kafka::BatchHead& head, std::string_view batch);
  void begin_end(Transaction& transaction, bool commit, int16_t epoch);
  void marker(Log& log, int64_t producer, int16_t epoch, bool commit);
  Error produce(int32_t broker, const std::string& topic, int partition, std::string_view records,
                const std::optional<std::string>& txid, int64_t& base);
  void fetch(const kafka::FetchRequest& request, int32_t broker, kafka::Answer& answer);
  std::string name_of(const kafka::Uuid& id) const;
  static kafka::Uuid uuid_of(const std::string& topic);

  std::string id_;
  int brokers_;
  std::mt19937 random_;
  int64_t now_ = 0, next_producer_ = 1000;
  std::map<std::string, std::vector<Log>> topics_;
  std::map<std::string, Transaction> transactions_;
};

}  // namespace twinspan::kafka_engine
