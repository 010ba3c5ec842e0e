// What becomes of a batch that was read. Pure.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/batch.hpp"
#include "kafka/messages.hpp"

namespace twinspan::kafka_engine {

enum class Route {
  kPass,     // as it is, with our producer in its head
  kDrop,     // nothing of it is carried; the position moves over it
  kOld,      // it lies before the position: nothing moves
  kCorrupt,  // its checksum is wrong
  kEncode,   // no broker takes it as it is, or would take it for something else
};

// The batches of one answer of a read_committed Fetch, in their order. What decides that a batch is dropped must be
// what its checksum covers, and right: nobody else would find a bit that flipped there.
class Router {
 public:
  using Aborted = kafka::FetchResponse::Topic::Partition::Aborted;
  explicit Router(const std::vector<Aborted>& aborted);
  Route route(const kafka::BatchHead& head, std::string_view batch, int64_t position);

 private:
  bool is_aborted(const kafka::BatchHead& head);
  Route dropped(std::string_view batch) const;

  std::multimap<int64_t, int64_t> to_come_;  // first offset → producer
  std::set<int64_t> aborted_;                // producers, at the batch that is looked at
};

}  // namespace twinspan::kafka_engine
