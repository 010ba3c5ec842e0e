// What FailoverSeen says, in the words of decisions. Pure. For those who decide in this folder alone.
#pragma once
#include <string>
#include <vector>

#include "failover/log/decide.hpp"

namespace twinspan {

const MemberSeen* member(const FailoverSeen& seen, const std::string& name);

// The highest epoch that anybody remembers or holds.
Epoch known_epoch(const FailoverSeen& seen);
// The epoch of the next change: above all that were used. A change under way keeps its own.
Epoch next_epoch(const FailoverSeen& seen);
// The epoch that a person's word must name now: it never meets what was assigned already.
Epoch offered_epoch(const FailoverSeen& seen);
bool under_way(const FailoverSeen& seen);  // the assignment is above every epoch that was used

// The lease tells who let go of it last, and nobody remembers more. Else the members' data have to tell.
bool lease_tells(const FailoverSeen& seen);
// Somebody accepted writes in the lease's epoch, as members know that the lease does not say (yet, or any more).
bool promotion_known(const FailoverSeen& seen);
// Whom lease and assignment name as the last primary says itself that it is none: its data tell that another was.
bool last_primary_denies(const FailoverSeen& seen);
// The end of the old primary's log, if its release says it.
std::optional<Position> final_position(const FailoverSeen& seen);
// The endpoint that accepted writes last, by lease and assignment; empty: not known.
std::string last_primary(const FailoverSeen& seen);
// Who had the lease in its present epoch, also after it let go; empty: not known.
std::string last_holder(const LeaseRecord& lease);

bool frozen(const FailoverSeen& seen, const MemberSeen& one);
// Everybody who might answer was asked, and has frozen its position or been given the time to.
bool settled(const FailoverSeen& seen, const std::string& old_primary);
bool known_empty(const FailoverSeen& seen, const std::string& name);  // it answers, and has no data
bool can_restart(const FailoverSeen& seen, const std::string& name);

// Whoever has every commit and may start again: who held the lease last, else who accepted writes last; empty: nobody.
std::string restartable(const FailoverSeen& seen);
// What an endpoint's agent says of itself, and how much it still has to replay.
std::string words_of(const FailoverSeen& seen, const std::string& name);

// As an election compares it: a database that does not run does not advance either.
MemberReport standing(MemberReport report);
// The input of an election among everybody but `old_primary` (empty: among all).
ElectionInput election(const FailoverSeen& seen, const FailoverRules& rules, const std::string& old_primary);
ElectionInput frozen_election(const FailoverSeen& seen, const FailoverRules& rules, const std::string& old_primary);

// The transition in the input where it belongs to this epoch or led to it, else a new one.
Transition ongoing(const FailoverSeen& seen, Epoch epoch, Step step, const std::string& from, Cause cause);
Decision hold(const FailoverSeen& seen, LogReason reason, std::string message);
// The command that decides what automation may not, for the end of a message; and why a word that was given is not it.
std::string deciding_words(const FailoverSeen& seen);
// A person's word for this very moment, carried out.
std::optional<Decision> by_word(const FailoverSeen& seen, Cause cause);

}  // namespace twinspan
