#include "worker/kafka/second_thoughts.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twinspan::worker_kafka {
namespace {

namespace engine = kafka_engine;
using std::chrono::seconds;

constexpr seconds kGoodFor{600};  // what happened before is forgotten then

bool may_be_right_now(const engine::Halt& halt) {
  return halt.reason == engine::Halt::Reason::kTooLarge || halt.reason == engine::Halt::Reason::kRefused ||
         halt.reason == engine::Halt::Reason::kCorrupt;
}

}  // namespace

void SecondThoughts::soon(BootTime now, seconds least, seconds most) {
  wait_ = std::clamp(wait_ * 2, least, most);
  again_at_ = now + wait_;
}

SecondThoughts::Verdict SecondThoughts::look(const CarrierLook& carrier, std::optional<PodOwner> owner, BootTime now) {
  Verdict verdict;
  const auto at = [&](seconds least, seconds most) {
    if (!again_at_) soon(now, least, most);
    if (now < *again_at_) return;
    ++attempt_;
    again_at_.reset();
  };
  if (!carrier.order || carrier.order->attempt < attempt_) return verdict;
  if (carrier.running) {
    const bool halted =
        carrier.lane.following && std::ranges::any_of(carrier.order->partitions, [&](const auto& one) {
          const auto found = carrier.lane.partitions.find(one.first);
          return found != carrier.lane.partitions.end() && found->second.halt && may_be_right_now(*found->second.halt);
        });
    if (halted) {
      at(seconds(60), seconds(600));
    } else if (!carrier.lane.following) {
      good_since_.reset();
    } else {
      if (!good_since_) good_since_ = now;
      if (now - *good_since_ >= kGoodFor) wait_ = seconds(0);
      again_at_.reset();
    }
    return verdict;
  }
  good_since_.reset();
  if (!carrier.ended) return verdict;
  if (carrier.ended->code != Code::kConflict) {
    verdict.stall = engine::Stall{"CannotGoOn", carrier.ended->message};
    at(seconds(5), seconds(300));
    return verdict;
  }
  const std::string& holder = carrier.lane.holder;
  if (!holder.starts_with(carrier.order->spec.uid + "/")) {
    verdict.stall = engine::Stall{
        "TakenOver",
        fmt::format(
            "a link of the same namespace and name, of another uid ({}), carries into this target now: give one "
            "of them another name. This one goes on once the other is gone and pod {}-kafka-0 was deleted",
            holder.substr(0, holder.find('/')), carrier.order->spec.link)};
    return verdict;
  }
  // Another process of this link: whoever comes last takes the lane, and only the link's present pod may do so again.
  verdict.ask_owner = true;
  verdict.waits = "another process took the link's transactional id: whether this pod is still the link's is asked";
  if (!owner || *owner == PodOwner::kUnknown) return verdict;
  if (*owner == PodOwner::kAnothers) {
    verdict.end = true;
    return verdict;
  }
  verdict.waits = "another process took the link's transactional id, and this pod is the link's: it is taken back soon";
  at(seconds(1), seconds(60));
  return verdict;
}

}  // namespace twinspan::worker_kafka
