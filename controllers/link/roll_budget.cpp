#include "controllers/link/roll_budget.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twinspan::controllers {
namespace {

constexpr size_t kNamed = 3;  // links that a message names
// Those that wait look again in turn, a few hundred a second in all.
constexpr std::chrono::milliseconds kLookAgain{2000}, kForEachThatWaits{5};

std::string named(const std::set<kube::Key>& links) {
  std::string out;
  size_t count = 0;
  for (const kube::Key& link : links) {
    if (++count > kNamed) return out + ", …";
    out += fmt::format("{}{}/{}", out.empty() ? "" : ", ", link.ns, link.name);
  }
  return out;
}

}  // namespace

void RollBudget::hear_of(const kube::Key& link, size_t links) {
  MutexLock lock(mutex_);
  if (all_heard_) return;
  heard_.insert(link);
  if (heard_.size() < links) return;
  all_heard_ = true;
  heard_.clear();
}

RollTurn RollBudget::turn(const kube::Key& link, const RollState& state) {
  MutexLock lock(mutex_);
  const bool first = asked_.insert(link).second;
  if (rolling_.contains(link)) {
    if (!state.old_left && state.whole) rolling_.erase(link);
    return {};
  }
  if (!state.old_left) {
    waiting_.erase(link);
    return {};
  }
  if (!first || !state.begun) {       // else an operator before this one gave it a turn
    if (!state.can_go_on) return {};  // its own reason is the better one
    if (!all_heard_) return not_yet(link, "this operator has just started and looks at the other links first");
    if (rolling_.size() >= links_most_)
      return not_yet(link, links_most_ == 0 ? "--links-rolling-most is 0"
                                            : fmt::format("its turn comes after others' ({} of at most {}: {})",
                                                          rolling_.size(), links_most_, named(rolling_)));
  }
  waiting_.erase(link);
  rolling_.insert(link);
  return {};
}

void RollBudget::forget(const kube::Key& link) {
  MutexLock lock(mutex_);
  rolling_.erase(link);
  waiting_.erase(link);
  asked_.erase(link);
}

RollTurn RollBudget::not_yet(const kube::Key& link, std::string why) {
  waiting_.insert(link);
  return {false, std::move(why), std::max(kLookAgain, kForEachThatWaits * static_cast<int64_t>(waiting_.size()))};
}

}  // namespace twinspan::controllers
