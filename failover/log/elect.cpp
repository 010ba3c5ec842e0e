#include "failover/log/elect.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twinspan {
namespace {

// A copy that follows nobody yet has confirmed nothing, and what was here before it is gone.
bool follows_nobody(const MemberReport& report) { return report.memory && report.memory->data_epoch == Epoch{0}; }

bool eligible(const Candidate& one) {
  return one.report && one.report->database_running && one.report->role == Role::kReplica && one.report->received &&
         one.report->timeline && one.report->state != MemberState::kDiverged && !follows_nobody(*one.report);
}

size_t rank(const std::vector<std::string>& prefer, const std::string& name) {
  return static_cast<size_t>(std::find(prefer.begin(), prefer.end(), name) - prefer.begin());
}

Epoch history_of(const ElectionInput& input, const MemberReport& report) {
  return report.memory ? report.memory->data_epoch.value_or(input.epoch) : input.epoch;
}

Epoch log_of(const ElectionInput& input, const MemberReport& report) {
  return report.memory && report.memory->data_epoch ? log_of(*report.memory) : input.epoch;
}

struct Whole {
  Epoch epoch, log;
};

// The epoch whose history has everything, as far as it is heard of: somebody has all that came before it. Data of
// another history may have the same timeline and a higher position, and lack what was acknowledged. Data of the same
// log have what their position says, also where their agent has not heard of the epoch.
Whole whole_history(const ElectionInput& input, const std::vector<const Candidate*>& heard) {
  const auto only_prepared = [&](const Candidate& one) {
    return (input.unpromoted > Epoch{0} && history_of(input, *one.report) >= input.unpromoted) ||
           std::find(input.excluded.begin(), input.excluded.end(), one.name) != input.excluded.end();
  };
  Whole whole;
  for (const Candidate* one : heard) {
    if (!one->report->memory || one->report->memory->part == DataPart::kSome) continue;
    if (one->report->memory->part == DataPart::kPrimary && only_prepared(*one)) continue;
    const Epoch epoch = history_of(input, *one->report);
    if (epoch > whole.epoch) whole = {epoch, log_of(input, *one->report)};
  }
  return whole;
}

// Who is heard with data of the history that has everything.
struct Hearing {
  std::vector<const Candidate*> heard;
  int answering = 0;   // also with data of another history
  std::string silent;  // names
};

Hearing hear(const ElectionInput& input) {
  Hearing out;
  for (const Candidate& one : input.replicas) {
    if (eligible(one))
      out.heard.push_back(&one);
    else
      out.silent += (out.silent.empty() ? "" : ", ") + one.name;
  }
  out.answering = static_cast<int>(out.heard.size());
  const Whole whole = whole_history(input, out.heard);
  std::erase_if(out.heard, [&](const Candidate* one) {
    return history_of(input, *one->report) < whole.epoch && log_of(input, *one->report) != whole.log;
  });
  return out;
}

// Any commit that was acknowledged is on `replicas` of them. Only when so many are heard that at least one of those
// is among them is the furthest one heard known to have every acknowledged commit.
std::optional<Refused> too_few_heard(const ElectionInput& input, const Hearing& all) {
  const int needed =
      static_cast<int>(input.replicas.size()) - input.durability.replicas + (input.primary_among_them ? 0 : 1);
  if (!input.durability.synchronous || input.final_position || all.answering >= needed) return std::nullopt;
  return Refused{
      LogReason::kNotEnoughReplicasHeard,
      fmt::format("{} of {} replicas answer and {} are needed to know the last acknowledged commit; silent: {}",
                  all.answering, input.replicas.size(), needed, all.silent)};
}

const Candidate& best_of(const ElectionInput& input, const std::vector<const Candidate*>& some) {
  const auto better = [&](const Candidate* a, const Candidate* b) {
    const MemberReport &x = *a->report, &y = *b->report;
    if (*x.timeline != *y.timeline) return *x.timeline > *y.timeline;
    if (*x.received != *y.received) return *x.received > *y.received;
    const size_t rank_a = rank(input.prefer, a->name), rank_b = rank(input.prefer, b->name);
    if (rank_a != rank_b) return rank_a < rank_b;
    if (x.replayed != y.replayed) return x.replayed > y.replayed;
    return a->name < b->name;
  };
  return **std::min_element(some.begin(), some.end(), better);
}

// Only the furthest of enough replicas has every acknowledged commit, also when it failed to promote before.
std::optional<Refused> furthest_failed(const ElectionInput& input, const Candidate& best, const Candidate& furthest) {
  const bool furthest_is_ahead =
      *furthest.report->timeline != *best.report->timeline || *furthest.report->received > *best.report->received;
  if (!input.durability.synchronous || input.final_position || !furthest_is_ahead) return std::nullopt;
  return Refused{LogReason::kFurthestReplicaFailed,
                 fmt::format("{} did not promote in time, and {} lacks what it has", furthest.name, best.name)};
}

uint64_t behind(Position reference, Position own) { return reference > own ? reference.value - own.value : 0; }

std::string bytes(uint64_t count) {
  if (count >= 10 << 20) return fmt::format("{} MiB", count >> 20);
  if (count >= 10 << 10) return fmt::format("{} KiB", count >> 10);
  return fmt::format("{} B", count);
}

// Data that have nothing of the old primary's log, nor it of theirs: a person had it go on from restored data, and this
// replica has not begun to follow. It confirmed none of that log, so counting who confirmed proves nothing, and its
// positions compare nothing. A candidate that had the log and ended before it promoted says nothing of it in its lease:
// then what was told of it counts.
bool before_restore(const ElectionInput& input, const MemberReport& report) {
  const EpochHistory& log = input.epochs.empty() ? input.latest : input.epochs;
  if (!report.memory || report.memory->epochs.empty() || log.empty()) return false;
  return *report.received > Position{} && common_end(report.memory->epochs, *report.received, log) == Position{};
}

ElectionResult within_bounds(const ElectionInput& input, const Candidate& best) {
  const Position has = *best.report->received;
  // Of what it has, what the old primary had, too: all that a comparison with its positions can count.
  const Position shared = best.report->memory ? common_end(best.report->memory->epochs, has, input.epochs) : has;
  if (input.final_position) {
    const uint64_t lost = behind(*input.final_position, shared);
    const uint64_t allowed = input.durability.synchronous ? 0 : input.max_lag_bytes;
    if (lost > allowed)
      return Refused{LogReason::kCandidateTooFarBehind,
                     fmt::format("{} is {} behind the end of the old primary's log, {} allowed", best.name, bytes(lost),
                                 bytes(allowed))};
    return Elected{best.name, lost};
  }
  // What the old primary had beyond the furthest of enough replicas was never acknowledged.
  if (input.durability.synchronous) return Elected{best.name, 0};
  if (!input.primary_last_known)
    return Refused{
        LogReason::kLagUnknown,
        fmt::format("how far the old primary was is not known, so how far {} is behind is not either", best.name)};
  const uint64_t lost = behind(*input.primary_last_known, shared);
  if (lost > input.max_lag_bytes)
    return Refused{
        LogReason::kCandidateTooFarBehind,
        fmt::format("{} is {} behind what the old primary last reported, {} allowed by candidates.maxLagBytes",
                    best.name, bytes(lost), bytes(input.max_lag_bytes))};
  return Elected{best.name, lost};
}

}  // namespace

ElectionResult elect(const ElectionInput& input) {
  if (input.replicas.empty()) return Refused{LogReason::kNoReplica, "the link has no replica to promote"};
  const Hearing all = hear(input);
  std::vector<const Candidate*> able;
  for (const Candidate* one : all.heard)
    if (std::find(input.excluded.begin(), input.excluded.end(), one->name) == input.excluded.end()) able.push_back(one);
  if (able.empty())
    return Refused{LogReason::kReplicasUnreachable,
                   fmt::format("no replica answers with data it could be promoted with: {}", all.silent)};
  std::erase_if(able, [&](const Candidate* one) { return before_restore(input, *one->report); });
  if (able.empty())
    return Refused{LogReason::kBeforeRestore,
                   "whoever answers has data from before a restore and has yet to follow what was restored"};
  if (auto refused = too_few_heard(input, all)) return *std::move(refused);
  const Candidate& best = best_of(input, able);
  if (auto refused = furthest_failed(input, best, best_of(input, all.heard))) return *std::move(refused);
  return within_bounds(input, best);
}

}  // namespace twinspan
