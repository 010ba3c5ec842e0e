// Of the repository's keeper: it deletes what it is asked to, after it has looked for itself, one backup at a time, and
// then the log that none of the rest needs. What became of that is read afterwards: pgBackRest's exit code is 0 for a
// label that it does not know.
#include <fmt/format.h>

#include <algorithm>

#include "backup/expiry.hpp"
#include "core/log.hpp"
#include "worker/postgres/backup/repository_keeper.hpp"

namespace twinspan::worker {
namespace {

constexpr std::chrono::hours kLongest{1};

}  // namespace

void RepositoryKeeper::expire_if_asked(const Turn& turn, const std::stop_token& stop) {
  if (!turn.expire || turn.expire->asked == answered_) return;
  const api::ExpireAssignment asked = *turn.expire;
  deletes_ = true;
  c_.tell([&](BackupReport& report) { report.expired = {asked.asked, true, {}, ""}; });
  log::info("what retention lets go is deleted", {{"stanza", turn.stanza}, {"backups", asked.labels.size()}});
  std::stop_source own;
  {
    MutexLock lock(mutex_);
    stop_expiry_ = own;
  }
  const std::stop_callback ends(stop, [&] { own.request_stop(); });
  const Status done = expire(asked, own.get_token());
  full_.clear();
  again_ = true;
  BackupReport::Expired said{asked.asked, false, {}, done ? "" : done.error().message};
  // Whoever was called off did a part of it: the listing says which.
  if (const auto now = c_.turn()) {
    list_if_due(*now, stop);
    for (const std::string& label : asked.labels)
      if (listing_ && !again_ &&
          std::none_of(listing_->backups.begin(), listing_->backups.end(),
                       [&](const backup::BackupSet& one) { return one.label == label; }))
        said.gone.push_back(label);
    if (said.message.empty() && said.gone.size() != asked.labels.size())
      said.message = "pgbackrest expire succeeded, and not all of it is gone by the listing afterwards";
  }
  answered_ = asked.asked;
  deletes_ = false;
  log::info("deletion ended", {{"gone", said.gone.size()}, {"error", said.message}});
  c_.tell([&](BackupReport& report) { report.expired = said; });
}

// Whoever may not delete any more ends what it has begun.
void RepositoryKeeper::end_deletion() {
  MutexLock lock(mutex_);
  stop_expiry_.request_stop();
}

void RepositoryKeeper::end_what_may_not_go_on() {
  if (!deletes_) return;
  const auto turn = c_.turn();
  if (!turn || !turn->expire) end_deletion();
}

void RepositoryKeeper::poke() {
  end_what_may_not_go_on();
  wake_.raise();
}

Result<RepositoryKeeper::Turn> RepositoryKeeper::still(const api::ExpireAssignment& asked) const {
  auto turn = c_.turn();
  if (!turn) return fail(Code::kCancelled, "this member stores no more");
  if (turn->expire != asked) return fail(Code::kCancelled, "it is not asked for any more");
  if (turn->backup_runs) return fail(Code::kConflict, "a backup runs");
  return std::move(*turn);
}

Status RepositoryKeeper::expire(const api::ExpireAssignment& asked, const std::stop_token& stop) {
  const auto at = parse_rfc3339(asked.asked);
  if (!at) return std::unexpected(at.error());
  const auto turn = still(asked);
  if (!turn) return std::unexpected(turn.error());
  full_.clear();
  const auto listing = list(*turn, stop);
  if (!listing) return std::unexpected(listing.error());
  const auto steps = backup::plan_expiry({*at, asked.labels, asked.keep_log_from}, *listing, c_.clock.wall_now());
  if (!steps) return std::unexpected(steps.error());
  // Asked at the very last: a lease that is gone by now may belong to somebody else, and a backup may have begun.
  const auto run = [&](std::vector<std::string> arguments) -> Status {
    const auto now = still(asked);
    if (!now) return std::unexpected(now.error());
    arguments.push_back("expire");
    const auto done = now->program.run_checked(std::move(arguments), {kLongest, true, {}}, stop);
    return done ? Status{} : std::unexpected(done.error());
  };
  for (const std::string& label : steps->labels)
    if (auto done = run({"--set=" + label}); !done) return done;
  if (steps->newest_fulls == 0) return {};
  return run({fmt::format("--repo1-retention-archive={}", steps->newest_fulls), "--repo1-retention-archive-type=full"});
}

}  // namespace twinspan::worker
