#include "worker/postgres/backup/repository_keeper.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "backup/archive.hpp"
#include "backup/lineage.hpp"
#include "backup/pgbackrest.hpp"
#include "core/log.hpp"
#include "engines/postgres/archive/lineage_store.hpp"
#include "engines/postgres/command.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/timeline.hpp"

namespace twinspan::worker {
namespace {

using std::chrono::seconds;

constexpr std::chrono::seconds kLookAround{2};
constexpr std::chrono::minutes kListEvery{5}, kListAgain{1};
constexpr std::chrono::hours kForgetEvery{6};  // what somebody deletes behind us is seen by then
constexpr size_t kBackupsMax = 1000, kRunsMax = 1000, kFoldersMax = 20000;
constexpr int kSegmentsRead = 4;  // for the end of a transaction

int64_t unix_seconds(WallTime time) { return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count(); }

BackupReport::Repository told_of(const backup::Listing& listing) {
  BackupReport::Repository told;
  told.listed = unix_seconds(listing.listed_at);
  told.trouble = listing.trouble;
  told.backups = backup::lines_of(listing.backups);
  for (const backup::SegmentRun& run : listing.log) told.log.push_back(backup::line_of(run));
  for (const backup::Line& line : listing.lineage) told.lineage.push_back(backup::line_of(line));
  if (const auto& commit = listing.commit) {
    told.commit_log = backup::line_of(backup::SegmentRun{commit->timeline, commit->segment, commit->segment});
    told.commit = unix_seconds(commit->at);
  }
  if (listing.clock_ahead) told.clock_ahead = listing.clock_ahead->count();
  return told;
}

}  // namespace

void RepositoryKeeper::start() {
  thread_.start([this](const std::stop_token& stop) { run(stop); });
}
void RepositoryKeeper::stop() { thread_.stop(); }

void RepositoryKeeper::look_again() {
  again_ = true;
  wake_.raise();
}

void RepositoryKeeper::pushed(const std::string& name, WallTime begun, WallTime ended) {
  if (!backup::is_segment(name) || name.ends_with(".partial")) return;
  MutexLock lock(mutex_);
  pushed_ = Pushed{name, begun, ended, c_.clock.boot_now()};
}

void RepositoryKeeper::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    if (const auto turn = c_.turn()) {
      if (std::string log = turn->repository + " " + turn->stanza; log != listed_of_) {
        listed_of_ = std::move(log);
        full_.clear();
        listing_.reset();
        commit_.reset();
        clock_.reset();
        whole_.clear();
        again_ = true;
      }
      list_if_due(*turn, stop);
      expire_if_asked(*turn, stop);
    } else {
      // Whoever stores meanwhile knows better; what it stored is listed anew.
      listed_of_.clear();
    }
    wake_.wait(kLookAround, stop);
  }
}

void RepositoryKeeper::list_if_due(const Turn& turn, const std::stop_token& stop) {
  const BootTime now = c_.clock.boot_now();
  if (!again_.exchange(false) && now < list_at_) return;
  const auto listed = list(turn, stop);
  list_at_ = c_.clock.boot_now() + (listed ? kListEvery : kListAgain);
  if (!listed) {
    // What was listed before stays, and says when that was.
    if (!stop.stop_requested()) log::warn("the repository was not listed", {{"error", listed.error().message}});
    return;
  }
  listing_ = *listed;
  // Two may have taken turns meanwhile: this member's word counts while it stores.
  c_.tell([&](BackupReport& report) {
    if (report.stanza != turn.stanza) return;
    report.repository = told_of(*listed);
    report.repository->place = turn.repository;
  });
}

Result<backup::Listing> RepositoryKeeper::list(const Turn& turn, const std::stop_token& stop) {
  backup::Listing listing;
  listing.listed_at = c_.clock.wall_now();
  const auto info = turn.program.run_checked({"--output=json", "info"}, {}, stop);
  if (!info) return std::unexpected(info.error());
  auto stored = backup::parse_info(info->out, turn.stanza);
  if (!stored) return std::unexpected(stored.error());
  listing.backups = std::move(stored->backups);
  auto log = list_log(turn, stop);
  if (!log) return std::unexpected(log.error());
  auto notes = postgres::LineageStore::open(turn.program.config(), turn.stanza, c_.clock);
  if (!notes) return std::unexpected(notes.error());
  const auto noted = notes->list(stop);
  if (!noted) return std::unexpected(noted.error());
  listing.log = backup::without_taken(std::move(*log), *noted);
  listing.lineage = lineage();
  listing.commit = find_commit(turn, listing, stop);
  if (clock_) listing.clock_ahead = backup::ahead_now(*clock_, c_.clock.wall_now(), c_.clock.boot_now());
  const auto hollow = hollow_one(turn, listing.backups, stop);
  if (!hollow) return std::unexpected(hollow.error());
  if (!hollow->empty())
    listing.trouble = fmt::format(
        "backup {} is listed and its manifest is gone, as where a rule of the bucket deletes what is old: see what is "
        "left of it, take the rule away, and delete the backup by pgbackrest expire --set",
        *hollow);
  if (listing.backups.size() > kBackupsMax) {
    listing.trouble = fmt::format("{} backups, {} at most are listed", listing.backups.size(), kBackupsMax);
    listing.backups.erase(listing.backups.begin(), listing.backups.end() - kBackupsMax);
  }
  if (listing.log.size() > kRunsMax) {
    listing.trouble = fmt::format("log in {} pieces, {} at most are listed", listing.log.size(), kRunsMax);
    listing.log.erase(listing.log.begin(), listing.log.end() - kRunsMax);
  }
  return listing;
}

Result<std::vector<backup::SegmentRun>> RepositoryKeeper::list_log(const Turn& turn, const std::stop_token& stop) {
  const BootTime now = c_.clock.boot_now();
  if (now >= forget_at_) {
    full_.clear();
    whole_.clear();
    forget_at_ = now + kForgetEvery;
  }
  const std::string archive = fmt::format("archive/{}/{}", turn.stanza, backup::kArchiveId);
  const auto top = turn.program.run_checked({"--output=json", "repo-ls", archive}, {}, stop);
  if (!top) return std::unexpected(top.error());
  const auto folders = backup::folders_in(top->out);
  if (!folders) return std::unexpected(folders.error());
  if (folders->size() > kFoldersMax)
    return fail(Code::kInvalid,
                fmt::format("{} folders of the log, {} at most are listed", folders->size(), kFoldersMax));
  std::map<std::string, std::vector<uint64_t>> segments;
  for (const std::string& folder : *folders) {
    if (const auto known = full_.find(folder); known != full_.end()) {
      segments[folder] = known->second;
      continue;
    }
    const auto listed = turn.program.run_checked({"--output=json", "repo-ls", archive + "/" + folder}, {}, stop);
    if (!listed) return std::unexpected(listed.error());
    auto numbers = backup::segments_in(listed->out, folder);
    if (!numbers) return std::unexpected(numbers.error());
    measure_clock(listed->out);
    if (numbers->size() == backup::kSegmentsOfFolder) full_[folder] = *numbers;
    segments[folder] = std::move(*numbers);
  }
  return backup::runs_of(segments);
}

// `info` knows of its own index only, which is written anew with every backup. Empty: all have their manifest.
Result<std::string> RepositoryKeeper::hollow_one(const Turn& turn, const std::vector<backup::BackupSet>& backups,
                                                 const std::stop_token& stop) {
  for (const backup::BackupSet& one : backups) {
    if (whole_.contains(one.label)) continue;
    const auto found = turn.program.run_checked(
        {"--filter=^backup\\.manifest$", "repo-ls", fmt::format("backup/{}/{}", turn.stanza, one.label)}, {}, stop);
    if (!found) return std::unexpected(found.error());
    if (!found->out.starts_with("backup.manifest")) return one.label;
    whole_.insert(one.label);
  }
  return "";
}

// By what this member stored itself: the bucket says when, by its own clock.
void RepositoryKeeper::measure_clock(const std::string& folder_listing) {
  std::optional<Pushed> pushed;
  {
    MutexLock lock(mutex_);
    pushed = pushed_;
  }
  if (!pushed) return;
  const auto stored = backup::stored_at(folder_listing, pushed->name);
  if (!stored) return;
  const WallTime nearest = std::clamp(*stored, pushed->begun, pushed->ended);
  clock_ = backup::MeasuredClock{std::chrono::duration_cast<std::chrono::microseconds>(*stored - nearest),
                                 pushed->ended, pushed->at};
}

// Of the database as it is: what it came from, and nothing that it left.
backup::Lineage RepositoryKeeper::lineage() const {
  const Local local = c_.local.copy();
  const uint32_t timeline = local.seen && !local.seen->in_recovery ? local.seen->timeline : 0;
  if (timeline == 0) return {};
  std::vector<TimelineSwitch> history;
  if (timeline > 1) {
    const auto text = postgres::read_file(c_.layout.pgdata() + "/pg_wal/" + postgres::history_file_name(timeline));
    const auto read = text ? postgres::parse_history(*text) : std::unexpected(text.error());
    if (!read) return {};
    history = *read;
  }
  backup::Lineage lineage;
  backup::Line line{{0}, 0, 0, {}};
  for (const TimelineSwitch& one : history) {
    line.timeline = one.timeline;
    lineage.push_back(line);
    line = {line.epoch.next(), 0, one.timeline, one.end};
  }
  line.timeline = timeline;
  lineage.push_back(line);
  return lineage;
}

// What the repository has of the newest segments is read: it is the truth, and the file here may be another by now.
std::optional<backup::SeenCommit> RepositoryKeeper::find_commit(const Turn& turn, const backup::Listing& listing,
                                                                const std::stop_token& stop) {
  if (listing.lineage.empty()) return std::nullopt;
  const auto its = std::find_if(listing.log.rbegin(), listing.log.rend(), [&](const backup::SegmentRun& run) {
    return run.timeline == listing.lineage.back().timeline;
  });
  if (its == listing.log.rend()) return std::nullopt;
  const backup::SegmentRun& newest = *its;
  if (commit_ && (commit_->timeline != newest.timeline || commit_->segment < newest.first)) commit_.reset();
  const std::string folder = c_.layout.run_dir + "/backup";
  for (uint64_t number = newest.last, read = 0; read < kSegmentsRead && number >= newest.first; --number, ++read) {
    if (commit_ && commit_->segment >= number) break;
    const std::string name = backup::segment_name(newest.timeline, number);
    const std::string file = folder + "/" + name, printed = folder + "/ends";
    const auto fetched = turn.program.run({"archive-get", name, file}, {}, stop);
    std::optional<WallTime> end;
    if (fetched && fetched->exit.clean()) {
      postgres::Command dump;
      dump.program = c_.layout.program("pg_waldump");
      dump.arguments = {"--rmgr=Transaction", "--path=" + folder, name};
      dump.environment = {{"TZ", "UTC"}};
      dump.out = open(printed.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
      if (dump.out >= 0) {
        // It ends with an error where the segment does: the record that goes on in the next one is not there.
        (void)postgres::run(c_.children, postgres::first_to_end(dump), stop);
        if (const auto text = postgres::read_file(printed)) end = backup::last_end_in(*text);
      }
    }
    unlink(file.c_str());
    unlink(printed.c_str());
    if (end) {
      // To the second, and before it: that moment itself is found by the record that follows it.
      commit_ =
          backup::SeenCommit{newest.timeline, number, std::chrono::floor<seconds>(*end - std::chrono::microseconds(1))};
      break;
    }
    if (number == 0) break;
  }
  return commit_;
}

}  // namespace twinspan::worker
