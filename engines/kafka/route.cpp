#include "engines/kafka/route.hpp"

#include "kafka/records.hpp"

namespace twinspan::kafka_engine {
namespace {

// A control record's key: its version, then 0 for an abort and 1 for a commit.
bool is_abort_marker(const kafka::BatchHead& head, std::string_view batch) {
  kafka::Records records(head, batch.substr(kafka::kBatchHeadBytes));
  const kafka::Record* record = records.next();
  return record && record->key && record->key->size() >= 4 && kafka::load<int16_t>(record->key->data() + 2) == 0;
}

}  // namespace

Router::Router(const std::vector<Aborted>& aborted) {
  for (const Aborted& one : aborted) to_come_.emplace(one.first_offset, one.producer_id);
}

bool Router::is_aborted(const kafka::BatchHead& head) {
  while (!to_come_.empty() && to_come_.begin()->first <= head.last_offset()) {
    aborted_.insert(to_come_.begin()->second);
    to_come_.erase(to_come_.begin());
  }
  return head.transactional() && aborted_.contains(head.producer_id);
}

Route Router::dropped(std::string_view batch) const {
  return kafka::crc_is_right(batch) ? Route::kDrop : Route::kCorrupt;
}

Route Router::route(const kafka::BatchHead& head, std::string_view batch, int64_t position) {
  const bool aborted = is_aborted(head);
  if (head.control()) {
    const Route route = dropped(batch);
    if (route == Route::kDrop && is_abort_marker(head, batch)) aborted_.erase(head.producer_id);
    return head.last_offset() < position && route == Route::kDrop ? Route::kOld : route;
  }
  if (head.last_offset() < position) return Route::kOld;
  if (aborted || head.count == 0) return dropped(batch);
  // The position lies inside; holes of compaction; a broker's times, which the target would take for a client's; a
  // deadline of the cleaner's, by which the target would let tombstones go.
  if (head.base_offset < position || head.count != head.last_delta + 1 || head.log_append_time() ||
      head.delete_horizon())
    return Route::kEncode;
  return Route::kPass;
}

}  // namespace twinspan::kafka_engine
