// The versions of one key on both sides, and which of the source's are still to be made at the target. Pure.
//
// A version can't be put in between others, only on top. So the target's history has to end with something that the
// source has, and what follows it there is appended. What a copy says of itself (MadeFrom) decides where contents
// don't.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engines/s3/settings.hpp"

namespace twinspan::s3 {

// Besides kSourceEtagName (likeness.hpp), on every copy of a version: which one it is.
inline constexpr std::string_view kSourceVersionName = "twinspan-source-version";

struct Version {
  std::string id, etag;
  int64_t size_bytes = 0;
  bool delete_marker = false;
  WallTime last_modified{};
  bool operator==(const Version&) const = default;
};

// Of one key, oldest first. Markers that follow a marker are left out: they say nothing new, and not every server makes
// them. No other order than the listing's counts.
using History = std::vector<Version>;

// `newest` with its `older`, as a walk has them; nullptr: there is none.
History history_of(const Listed* newest);

struct Histories {
  History source, target;
  bool hidden = false;  // by a marker at the target, although the source shows its key; known when markers are dropped
};
void drop_markers(Histories& both);

// What the metadata of a copy says it was made from. Empty: nothing.
struct MadeFrom {
  std::string etag, version_id;
};
MadeFrom made_from_mark(const Metadata& copy);

struct AppendPlan {
  size_t from = 0;  // the first of the source's versions that the target lacks; its size: none
  // The target ends with what the source doesn't have: somebody wrote there, or the source has forgotten it.
  bool unaligned = false;
  // What is to be done depends on the mark of this version of the target: ask, and plan again.
  std::optional<size_t> ask{};
  bool operator==(const AppendPlan&) const = default;
};

// Never appends what it would append again the next time: what it appends is found at the target's end by then, by its
// ETag where those are digests, and by its mark.
//  - The target has nothing: all of it, but for a leading marker, which would hide nothing.
//  - Its last content occurs in the source: what comes after that. Where it occurs several times, or the ETags say
//    nothing, the copy's mark tells; where that is silent, the place that has most in common before it, the newest of
//    those. A marker at its end that the source doesn't have there was somebody else's.
//  - Its last content doesn't occur, an older one does: somebody wrote on top. What comes after the older one; where
//    there is nothing, the newest again, so that both sides show the same.
//  - None occurs: all of it where the ETags prove that nothing is there, else only the newest.
//  - A marker isn't put on a marker.
// With deletes ignored, markers are nothing: both histories are left without them. One at the target's end, which the
// source doesn't have, was somebody else's. `told`: of the version that was to be asked for.
AppendPlan plan_append(DeleteMode deletes, Histories& both, const std::optional<MadeFrom>& told = {});

// Which of the source's versions don't occur in the target in their order. `ask`: what a version of the target was made
// from, where sizes are the same and ETags are not; called once for each at most.
using AskMark = std::function<Result<MadeFrom>(const Version& copy)>;
Result<std::vector<size_t>> missing_versions(const History& source, const History& target, const AskMark& ask);

}  // namespace twinspan::s3
