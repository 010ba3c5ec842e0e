#include "failover/bucket.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "failover/names.hpp"

namespace twinspan {
namespace {

constexpr Names<Reach, 4> kReaches{{{Reach::kUnknown, "Unknown"},
                                    {Reach::kReachable, "Reachable"},
                                    {Reach::kUnreachable, "Unreachable"},
                                    {Reach::kRefused, "Refused"}}};

std::optional<BucketRefused> refusal(const BucketSeen& one, const BucketElection& input) {
  const auto refused = [&](const char* reason, std::string why) {
    return BucketRefused{reason, fmt::format("{}: {}", one.name, why)};
  };
  switch (one.reach) {
    case Reach::kUnknown: return refused("CandidateUnknown", "no worker says whether it answers");
    case Reach::kUnreachable: return refused("CandidateUnreachable", "does not answer: " + one.message);
    case Reach::kRefused: return refused("CandidateRefuses", "refuses requests: " + one.message);
    case Reach::kReachable: break;
  }
  if (!one.writable) return refused("CandidateNotWritable", "no trial write has succeeded yet");
  if (!*one.writable) return refused("CandidateNotWritable", "refuses writes");
  if (!one.complete_once) return refused("CandidateNeverComplete", "no full sync has reached its end yet");
  if (!input.max_missing_keys) return std::nullopt;
  if (!one.missing)
    return refused("MissingKeysUnknown", "how many keys it lacks is not known, and maxMissingKeys is set");
  if (*one.missing > *input.max_missing_keys)
    return refused("TooManyKeysMissing", fmt::format("lacks {} keys, candidates.maxMissingKeys is {}", *one.missing,
                                                     *input.max_missing_keys));
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Reach reach) { return name_of(kReaches, reach); }

std::optional<Reach> parse_reach(std::string_view text) { return value_of(kReaches, text); }

std::variant<BucketElected, BucketRefused> elect(const BucketElection& input) {
  std::optional<BucketRefused> first;
  std::string reasons;
  const BucketSeen* best = nullptr;
  const auto rank = [&](const BucketSeen& one) {
    const auto preferred = std::find(input.prefer.begin(), input.prefer.end(), one.name);
    return std::tuple(one.name != input.wish, preferred - input.prefer.begin(),
                      one.missing.value_or(std::numeric_limits<uint64_t>::max()));
  };
  for (const BucketSeen& one : input.candidates) {
    if (input.only_wish && one.name != input.wish) continue;
    if (auto refused = refusal(one, input)) {
      reasons += (reasons.empty() ? "" : "; ") + refused->message;
      if (!first) first = std::move(refused);
      continue;
    }
    if (!best || rank(one) < rank(*best)) best = &one;
  }
  if (best) return BucketElected{best->name, best->missing, best->listed_at};
  if (first) return BucketRefused{first->reason, std::move(reasons)};
  return BucketRefused{"NoCandidate", "there is no other endpoint"};
}

std::string missing_for_people(std::optional<uint64_t> missing, const std::string& listed_at, const std::string& from,
                               const std::string& to) {
  const std::string known = !missing        ? fmt::format("how many keys {} lacks is not known", to)
                            : *missing == 0 ? fmt::format("no key is known that {} lacks", to)
                            : *missing == 1 ? fmt::format("1 key is known that {} lacks", to)
                                            : fmt::format("{} keys are known that {} lacks", *missing, to);
  if (listed_at.empty()) return fmt::format("{}; {} was not listed to its end by this worker", known, from);
  return fmt::format("{}; {} was last listed to its end at {}: what was written later and not notified is not counted",
                     known, from, listed_at);
}

}  // namespace twinspan
