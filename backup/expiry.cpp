#include "backup/expiry.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twinspan::backup {
namespace {

bool contains(const std::vector<std::string>& labels, const std::string& label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

}  // namespace

int newest_fulls_with(const std::string& label, const std::vector<BackupSet>& backups) {
  const auto its =
      std::find_if(backups.begin(), backups.end(), [&](const BackupSet& one) { return one.label == label; });
  if (its == backups.end()) return 0;
  int fulls = 0;
  for (auto one = backups.rbegin(); one != backups.rend(); ++one) {
    if (one->kind != Kind::kFull) continue;
    ++fulls;
    if (one->label == label || contains(its->needs, one->label)) return fulls;
  }
  return 0;
}

Result<ExpirySteps> plan_expiry(const ExpiryWish& wish, const Listing& listing, WallTime now) {
  const auto age = now - wish.asked;
  if (age > kExpiryAskedMax || age < -kExpiryAskedMax)
    return fail(Code::kInvalid, fmt::format("asked for at {}, and it is {}: it has to be asked for anew",
                                            to_rfc3339(wish.asked), to_rfc3339(now)));
  if (!listing.trouble.empty()) return fail(Code::kInvalid, "the listing is not whole: " + listing.trouble);
  ExpirySteps steps;
  std::vector<BackupSet> left = listing.backups;
  const Restorable found = restorable(stored_of(listing));
  for (const std::string& label : wish.labels) {
    const auto its = std::find_if(left.begin(), left.end(), [&](const BackupSet& one) { return one.label == label; });
    if (its == left.end()) continue;
    for (const BackupSet& other : left)
      if (contains(other.needs, label))
        return fail(Code::kInvalid, fmt::format("{} is needed by {}", label, other.label));
    left.erase(its);
    steps.labels.push_back(label);
  }
  const auto can = [&](const BackupSet& one) { return found.backups.at(one.label) == Answer::kYes; };
  const auto newest = std::find_if(listing.backups.rbegin(), listing.backups.rend(), can);
  if (!steps.labels.empty() && newest == listing.backups.rend())
    return fail(Code::kInvalid, "no backup is known to be restorable");
  if (newest != listing.backups.rend() && contains(steps.labels, newest->label))
    return fail(Code::kInvalid, fmt::format("{} is the newest that can be restored", newest->label));
  if (wish.keep_log_from) {
    steps.newest_fulls = newest_fulls_with(*wish.keep_log_from, left);
    if (steps.newest_fulls == 0)
      return fail(Code::kInvalid,
                  fmt::format("{}, from which on the log is to stay, is not there", *wish.keep_log_from));
  }
  return steps;
}

std::chrono::seconds ahead_now(const MeasuredClock& measured, WallTime wall, BootTime boot) {
  const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(boot - measured.boot);
  const auto set_by = std::chrono::duration_cast<std::chrono::microseconds>(wall - measured.wall) - passed;
  return std::chrono::round<std::chrono::seconds>(measured.ahead - set_by);
}

// pgBackRest goes by names, the timeline first: what sorts before the Full that is the last to keep goes, but for what
// older backups need for themselves.
bool has_spare_log(const WalKept& kept, const Listing& listing) {
  if (kept.newest_fulls <= 0) return false;
  const BackupSet* first = nullptr;
  int fulls = 0;
  for (auto one = listing.backups.rbegin(); one != listing.backups.rend() && fulls < kept.newest_fulls; ++one)
    if (one->kind == Kind::kFull && ++fulls == kept.newest_fulls) first = &*one;
  if (!first) return false;
  const std::pair<Timeline, uint64_t> cut{first->timeline, segment_number(first->start.value)};
  for (const SegmentRun& run : listing.log)
    for (uint64_t number = run.first; number <= run.last && std::pair(run.timeline, number) < cut;) {
      const auto keeps = std::find_if(listing.backups.begin(), listing.backups.end(), [&](const BackupSet& one) {
        return one.timeline == run.timeline && segment_number(one.start.value) <= number &&
               number <= segment_number(one.stop.value);
      });
      if (keeps == listing.backups.end()) return true;
      number = segment_number(keeps->stop.value) + 1;
    }
  return false;
}

}  // namespace twinspan::backup
