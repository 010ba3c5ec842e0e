#include "failover/elect.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twinspan {
namespace {

bool eligible(const Candidate& one) {
  return one.report && one.report->database_running && one.report->role == Role::kReplica && one.report->received &&
         one.report->timeline && one.report->state != MemberState::kDiverged;
}

size_t rank(const std::vector<std::string>& prefer, const std::string& name) {
  return static_cast<size_t>(std::find(prefer.begin(), prefer.end(), name) - prefer.begin());
}

uint64_t behind(Position reference, Position own) { return reference > own ? reference.value - own.value : 0; }

std::string bytes(uint64_t count) {
  if (count >= 10 << 20) return fmt::format("{} MiB", count >> 20);
  if (count >= 10 << 10) return fmt::format("{} KiB", count >> 10);
  return fmt::format("{} B", count);
}

}  // namespace

ElectionResult elect(const ElectionInput& input) {
  if (input.replicas.empty()) return Refused{"NoReplica", "the link has no replica to promote"};
  std::vector<const Candidate*> able;
  std::vector<const Candidate*> heard;
  std::string silent;
  for (const Candidate& one : input.replicas) {
    if (eligible(one)) {
      heard.push_back(&one);
      if (std::find(input.excluded.begin(), input.excluded.end(), one.name) == input.excluded.end())
        able.push_back(&one);
    } else {
      silent += (silent.empty() ? "" : ", ") + one.name;
    }
  }
  if (able.empty())
    return Refused{"ReplicasUnreachable",
                   fmt::format("no replica answers with data it could be promoted with: {}", silent)};

  // Any commit that was acknowledged is on `replicas` of them. Only when so many are heard that at least one of those
  // is among them is the furthest one heard known to have every acknowledged commit.
  const int needed = static_cast<int>(input.replicas.size()) - input.durability.replicas + 1;
  if (input.durability.synchronous && !input.final_position && static_cast<int>(heard.size()) < needed)
    return Refused{
        "NotEnoughReplicasHeard",
        fmt::format("{} of {} replicas answer and {} are needed to know the last acknowledged commit; silent: {}",
                    heard.size(), input.replicas.size(), needed, silent)};

  const auto better = [&](const Candidate* a, const Candidate* b) {
    const MemberReport &x = *a->report, &y = *b->report;
    if (*x.timeline != *y.timeline) return *x.timeline > *y.timeline;
    if (*x.received != *y.received) return *x.received > *y.received;
    const size_t rank_a = rank(input.prefer, a->name), rank_b = rank(input.prefer, b->name);
    if (rank_a != rank_b) return rank_a < rank_b;
    if (x.replayed != y.replayed) return x.replayed > y.replayed;
    return a->name < b->name;
  };
  const Candidate& best = **std::min_element(able.begin(), able.end(), better);
  const Candidate& furthest = **std::min_element(heard.begin(), heard.end(), better);
  const Position has = *best.report->received;
  const bool furthest_is_ahead =
      *furthest.report->timeline != *best.report->timeline || *furthest.report->received > has;
  // Only the furthest of enough replicas has every acknowledged commit, also when it failed to promote before.
  if (input.durability.synchronous && !input.final_position && furthest_is_ahead)
    return Refused{"FurthestReplicaFailed",
                   fmt::format("{} did not promote in time, and {} lacks what it has", furthest.name, best.name)};

  if (input.final_position) {
    const uint64_t lost = behind(*input.final_position, has);
    const uint64_t allowed = input.durability.synchronous ? 0 : input.max_lag_bytes;
    if (lost > allowed)
      return Refused{"CandidateTooFarBehind",
                     fmt::format("{} is {} behind the end of the old primary's log, {} allowed", best.name, bytes(lost),
                                 bytes(allowed))};
    return Elected{best.name, lost};
  }
  // What the old primary had beyond the furthest of enough replicas was never acknowledged.
  if (input.durability.synchronous) return Elected{best.name, 0};
  if (!input.primary_last_known)
    return Refused{
        "LagUnknown",
        fmt::format("how far the old primary was is not known, so how far {} is behind is not either", best.name)};
  const uint64_t lost = behind(*input.primary_last_known, has);
  if (lost > input.max_lag_bytes)
    return Refused{
        "CandidateTooFarBehind",
        fmt::format("{} is {} behind what the old primary last reported, {} allowed by candidates.maxLagBytes",
                    best.name, bytes(lost), bytes(input.max_lag_bytes))};
  return Elected{best.name, lost};
}

}  // namespace twinspan
