// How many links replace pods at one time after an upgrade of the operator: a worker image that does not come up stops
// at so many links, and the others go on serving with what they have. What a person edits in a link waits for nobody.
#pragma once
#include <chrono>
#include <set>
#include <string>

#include "core/guarded.hpp"
#include "kube/resource.hpp"

namespace twinspan::controllers {

// What a link's look says of its pods.
struct RollState {
  bool old_left = false;   // some were made by another version of the operator, and are to be replaced by it
  bool begun = false;      // some are as this version makes them already
  bool can_go_on = false;  // the next would be replaced now
  bool whole = false;      // all serve
};

// Whether the next may be.
struct RollTurn {
  bool now = true;
  std::string waits_for;                    // for people
  std::chrono::milliseconds look_again{0};  // nobody is told when a turn comes
};

// Any thread.
class RollBudget {
 public:
  explicit RollBudget(size_t links_most) : links_most_(links_most) {}
  // Before each look at a link. A new operator knows who is in the middle of it once it has heard of all: until then
  // nobody begins.
  void hear_of(const kube::Key& link, size_t links);
  // A turn is kept until the link is whole again, whatever keeps it from that.
  RollTurn turn(const kube::Key& link, const RollState& state);
  void forget(const kube::Key& link);

 private:
  RollTurn not_yet(const kube::Key& link, std::string why) REQUIRES(mutex_);

  const size_t links_most_;
  Mutex mutex_;
  bool all_heard_ GUARDED_BY(mutex_) = false;
  std::set<kube::Key> heard_ GUARDED_BY(mutex_), asked_ GUARDED_BY(mutex_), rolling_ GUARDED_BY(mutex_),
      waiting_ GUARDED_BY(mutex_);
};

}  // namespace twinspan::controllers
