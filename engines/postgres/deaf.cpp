#include "engines/postgres/deaf.hpp"

#include <fmt/format.h>

namespace twinspan::postgres {
namespace {

std::string text_of(const std::optional<Position>& position) { return position ? to_string(*position) : "-"; }

}  // namespace

std::chrono::milliseconds stillness_allowed(double timeout_seconds) {
  if (timeout_seconds <= 0) return std::chrono::seconds(60);
  return std::max(std::chrono::milliseconds(static_cast<int64_t>(timeout_seconds * 2000)),
                  std::chrono::milliseconds(10000));
}

bool receiver_hangs(const Observation::Receiver& receiver) {
  // Without a time-out a receiver may rightly wait for ever.
  return receiver.timeout_seconds > 0 &&
         receiver.silent_seconds * 1000 > static_cast<double>(stillness_allowed(receiver.timeout_seconds).count());
}

bool is_streaming(const Observation& seen) {
  return seen.receiver && seen.receiver->status == "streaming" && !receiver_hangs(*seen.receiver);
}

void ReceiverSilence::measure(BootTime now, std::optional<Observation::Receiver>& receiver) {
  if (!receiver) return reset();
  if (!since_ || receiver->heard_at != heard_at_) since_ = now;
  heard_at_ = receiver->heard_at;
  receiver->silent_seconds = std::chrono::duration<double>(now - *since_).count();
}

void DeafSenders::measure(BootTime now, Position end, double sender_timeout_seconds,
                          std::vector<Observation::Sender>& senders) {
  std::map<int64_t, Known> kept;
  for (Observation::Sender& sender : senders) {
    // A backup's sender has no positions: how long it takes is its client's affair, and it keeps no log.
    if (sender.pid == 0 || !sender.sent) continue;
    std::string told = fmt::format("{} {} {} {}", text_of(sender.sent), text_of(sender.flushed),
                                   text_of(sender.replayed), sender.told_at);
    const auto before = known_.find(sender.pid);
    const bool still = before != known_.end() && before->second.told == told;
    const BootTime since = still ? before->second.since : now;
    const bool waits = !sender.flushed || *sender.flushed < end;
    sender.deaf = waits && now - since > stillness_allowed(sender_timeout_seconds);
    kept[sender.pid] = {std::move(told), since};
  }
  known_ = std::move(kept);
}

}  // namespace twinspan::postgres
