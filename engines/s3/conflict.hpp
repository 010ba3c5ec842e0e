// Two objects under one key, one on each side of a two-way link: which of them is the newer. Pure.
#pragma once
#include <optional>

#include "engines/s3/origin.hpp"

namespace twinspan::s3 {

// One side's object as it is now. Both sides' claims are about the other side.
struct Present {
  std::string etag;
  int64_t size_bytes = 0;
  WallTime modified{};  // to the second
  Claim claim{};
};

// Since both sides were last known to be the same: which of them is what it was then.
struct SinceEqual {
  bool source_unchanged = false, target_unchanged = false;
};

// Since the direction has changed and clients are sent to the source. Each is by that side's own clock: the clocks of
// two servers are not compared.
struct Turned {
  bool source_before = false;  // the source's was there before clients were: a copy of what the target had
  // The target's was written after both sides were the same; nullopt: they have not been since the change.
  std::optional<bool> target_since{};
};

enum class Newer { kNeither, kSource, kTarget };  // kNeither: they are the same

struct Ruling {
  Newer newer = Newer::kNeither;
  bool conflict = false;  // neither is known to follow from the other: who is overwritten is kept aside first
  bool operator==(const Ruling&) const = default;
};

// The first line that applies, S and T for the sides; everything mirrored:
//   same size and ETag, or both empty                                         → the same
//   same size, and one names the other's ETag (kNamed or kSealed)             → the same
//   remembered as the same: both unchanged                                    → the same
//                           only T unchanged                                  → S is newer
//   T's copy is sealed, S is no sealed copy: T was made from an S of before   → S is newer
//   else a conflict. Where the direction has changed (not mirrored) and both were the same since:
//     S from before, T written since → T; S from after it, T not written since → S, whatever their dates are.
//   Else the newest wins, by the time the original was written (a copy isn't newer than what it was made from); at the
//   same second, where the direction has changed, S's unless it is from before, else the larger ETag, then the larger
//   size, so that every worker decides alike.
// What loses without a conflict is a copy, bytes proven, of what its own original's side has overwritten since. Whoever
// writes an old copy's very bytes again under its key, with its metadata, is taken for that copy.
Ruling rule_on(const Present& source, const Present& target, std::optional<SinceEqual> since,
               std::optional<Turned> turned = std::nullopt);

}  // namespace twinspan::s3
