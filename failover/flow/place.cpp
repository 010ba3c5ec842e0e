#include "failover/flow/place.hpp"

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

std::optional<PlaceRefused> refusal(const PlaceSeen& one, const PlaceElection& input) {
  const auto refused = [&](FlowReason reason, std::string why) {
    return PlaceRefused{reason, fmt::format("{}: {}", one.name, why)};
  };
  switch (one.reach) {
    case Reach::kUnknown: return refused(FlowReason::kCandidateUnknown, "no worker says whether it answers");
    case Reach::kUnreachable: return refused(FlowReason::kCandidateUnreachable, "does not answer: " + one.message);
    case Reach::kRefused: return refused(FlowReason::kCandidateRefuses, "refuses requests: " + one.message);
    case Reach::kReachable: break;
  }
  if (!one.writable) return refused(FlowReason::kCandidateNotWritable, "no trial write has succeeded yet");
  if (!*one.writable) return refused(FlowReason::kCandidateNotWritable, "refuses writes");
  if (!one.complete_once) return refused(FlowReason::kCandidateNeverComplete, "no full sync has reached its end yet");
  if (!input.max_missing) return std::nullopt;
  if (!one.missing)
    return refused(FlowReason::kMissingUnknown, fmt::format("how many {} it lacks is not known, and {} is set",
                                                            input.words.many, input.words.bound));
  if (*one.missing > *input.max_missing)
    return refused(FlowReason::kTooMuchMissing, fmt::format("lacks {} {}, candidates.{} is {}", *one.missing,
                                                            input.words.many, input.words.bound, *input.max_missing));
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Reach reach) { return name_of(kReaches, reach); }

std::optional<Reach> parse_reach(std::string_view text) { return value_of(kReaches, text); }

std::variant<PlaceElected, PlaceRefused> elect(const PlaceElection& input) {
  std::optional<PlaceRefused> first;
  std::string reasons;
  const PlaceSeen* best = nullptr;
  const auto rank = [&](const PlaceSeen& one) {
    const auto preferred = std::find(input.prefer.begin(), input.prefer.end(), one.name);
    return std::tuple(one.name != input.wish, preferred - input.prefer.begin(),
                      one.missing.value_or(std::numeric_limits<uint64_t>::max()));
  };
  for (const PlaceSeen& one : input.candidates) {
    if (input.only_wish && one.name != input.wish) continue;
    if (auto refused = refusal(one, input)) {
      reasons += (reasons.empty() ? "" : "; ") + refused->message;
      if (!first) first = std::move(refused);
      continue;
    }
    if (!best || rank(one) < rank(*best)) best = &one;
  }
  if (best) return PlaceElected{best->name, best->missing, best->listed_at};
  if (first) return PlaceRefused{first->reason, std::move(reasons)};
  return PlaceRefused{FlowReason::kNoCandidate, "there is no other endpoint"};
}

std::string missing_for_people(const FlowWords& words, std::optional<uint64_t> missing, const std::string& listed_at,
                               const std::string& from, const std::string& to) {
  const std::string known = !missing        ? fmt::format("how many {} {} lacks is not known", words.many, to)
                            : *missing == 0 ? fmt::format("no {} is known that {} lacks", words.one, to)
                            : *missing == 1 ? fmt::format("1 {} is known that {} lacks", words.one, to)
                                            : fmt::format("{} {} are known that {} lacks", *missing, words.many, to);
  if (listed_at.empty()) return fmt::format("{}; {} was not listed to its end by this worker", known, from);
  return fmt::format("{}; {} was last listed to its end at {}: what was written later and not notified is not counted",
                     known, from, listed_at);
}

}  // namespace twinspan
