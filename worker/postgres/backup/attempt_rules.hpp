// What becomes of the copy that a member takes, by what is asked of it, and when the repository's configuration may be
// written meanwhile. Pure.
#pragma once
#include <optional>
#include <string>

#include "api/types.hpp"

namespace twinspan::worker {

// Whether both store the same in the same repository, by the same Secrets. Whoever stores, and what is wanted besides,
// may change without a new configuration.
inline bool same_place(const api::BackupAssignment& a, const api::BackupAssignment& b) {
  return a.stanza == b.stanza && a.destination == b.destination && a.encryption == b.encryption;
}

struct AttemptView {
  std::optional<api::BackupAssignment> under_way;  // as it was begun
  std::optional<api::BackupAssignment> wanted;     // nullopt: nothing is to be stored
  bool mine = false;                               // this member is to take the run that is wanted, and may
  bool over = false;                               // it has said what became of that run
};

enum class AttemptStep { kNone, kBegin, kEnd };

struct Member {
  std::string endpoint;
  bool may_store = false;  // it is primary: it holds the lease, and accepts writes
  bool follows = false;    // it is a replica, and runs
};

// Whether this member is to take the run: as the primary, or as a replica of it.
inline bool is_its_run(const api::BackupAssignment& wanted, const Member& self) {
  if (!wanted.run || wanted.run->endpoint != self.endpoint) return false;
  return wanted.archiver == self.endpoint ? self.may_store : self.follows;
}

// Whether it is the primary of a replica that takes the run, and has to answer its questions.
inline bool helps(const std::optional<api::BackupAssignment>& wanted, const Member& self) {
  return wanted && wanted->run && wanted->archiver == self.endpoint && wanted->run->endpoint != self.endpoint &&
         self.may_store;
}

// One at a time. What nobody wants any more is of no use.
inline AttemptStep decide_attempt(const AttemptView& view) {
  if (!view.under_way) return view.wanted && view.mine && !view.over ? AttemptStep::kBegin : AttemptStep::kNone;
  const bool same = view.wanted && view.wanted->run == view.under_way->run && same_place(*view.under_way, *view.wanted);
  return same ? AttemptStep::kNone : AttemptStep::kEnd;
}

// A copy takes hours, and each of its processes reads the configuration anew: Secrets that were renewed are taken over
// while it goes on, but another repository waits until it has ended.
inline bool may_configure(const AttemptView& view) {
  return view.wanted && (!view.under_way || same_place(*view.under_way, *view.wanted));
}

}  // namespace twinspan::worker
