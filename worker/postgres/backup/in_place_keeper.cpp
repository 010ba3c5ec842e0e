#include "worker/postgres/backup/in_place_keeper.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>

#include "core/log.hpp"
#include "engines/postgres/archive/lineage_store.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/processes.hpp"
#include "worker/postgres/backup/left_log.hpp"
#include "worker/postgres/backup/restore_data.hpp"
#include "worker/postgres/backup/restored_mark.hpp"

namespace twinspan::worker {
namespace {

using Step = BackupReport::Step;

constexpr std::chrono::seconds kLookAround{1}, kKillTime{5}, kLeftAgain{10};
// Of timelines that only a member knows: a promotion that failed before it noted anything.
constexpr int64_t kUnheardOf = 4;
// The room that a restore leaves to the database that goes on.
constexpr uint64_t kLeft = uint64_t{512} << 20;

std::string gib(uint64_t bytes) { return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30)); }

std::optional<uint64_t> free_bytes(const std::string& directory) {
  struct statvfs volume {};
  if (statvfs(directory.c_str(), &volume) != 0) return std::nullopt;
  return static_cast<uint64_t>(volume.f_bavail) * volume.f_frsize;
}

}  // namespace

const api::RestoreAssignment* in_place_order(const Desired* desired) {
  if (desired == nullptr || !desired->restore || !desired->restore->in_place) return nullptr;
  return desired->restore->in_place->endpoint == desired->settings.endpoint ? &*desired->restore : nullptr;
}

bool may_replace(const Desired* desired, const std::string& prepared) {
  const api::RestoreAssignment* order = in_place_order(desired);
  return order && order->in_place->replace && !prepared.empty() && order->name == prepared;
}

InPlaceStep next_step(const InPlaceSeen& seen) {
  if (!seen.known) return InPlaceStep::kNothing;
  if (!seen.order) return seen.anything || seen.said ? InPlaceStep::kForget : InPlaceStep::kNothing;
  const bool back = seen.order->in_place->bring_back;
  if (seen.done == seen.order->name && seen.done_back == back)
    return seen.anything ? InPlaceStep::kForget : InPlaceStep::kDone;
  if (back) return seen.kept && !seen.kept->restored ? InPlaceStep::kPrepared : InPlaceStep::kNotKept;
  if (seen.prepared == seen.order->name) return InPlaceStep::kPrepared;
  if (!seen.prepared.empty()) return InPlaceStep::kForget;
  if (seen.may_write) return InPlaceStep::kPrepare;
  return seen.anything ? InPlaceStep::kForget : InPlaceStep::kNothing;
}

std::string makes_tablespaces(const postgres::Tablespaces& used, const postgres::Tablespaces& fetched) {
  for (const auto& [oid, location] : used)
    if (!fetched.contains(oid))
      return fmt::format(
          "tablespace {} at {} was made after the backup: what is replayed would write into the directory that is in "
          "use. The data can't be restored in place: begin with a backup that has it, or restore into a new link",
          oid, location);
  return "";
}

std::string lacks_room(uint64_t backup_bytes, uint64_t free_bytes) {
  const uint64_t needed = backup_bytes + backup_bytes / 10 + (uint64_t{1} << 30);
  if (free_bytes >= needed) return "";
  return fmt::format(
      "the data can't be restored beside those that are there: {} are needed, {} are free. Make the "
      "volume larger, or restore into a new link",
      gib(needed), gib(free_bytes));
}

void InPlaceKeeper::start() {
  thread_.start([this](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      look_after(c_.standing(), stop);
      wake_.wait(kLookAround, stop);
    }
  });
}

// Of an order that was carried out the job speaks, and an agent that began since by what lies beside its data.
void InPlaceKeeper::tell(const BackupReport::Restored& said) {
  c_.local.update([&](Local& local) {
    if (!local.backup) local.backup.emplace();
    local.backup->restored = said;
    local.prepared = said.step == Step::kPrepared ? said.name : "";
  });
}

// An agent that was killed may have left who recovers; and the keys of the repository lie where its socket does.
Status InPlaceKeeper::clear(const std::string& whose) {
  const postgres::Layout layout = beside(c_.layout);
  if (!postgres::kill_server_processes(layout.pgdata(), {}, kKillTime))
    return fail(Code::kUnavailable, "processes of a restore survive SIGKILL");
  if (auto gone = c_.places.forget_prepared(whose); !gone) return gone;
  return postgres::remove_tree(layout.run_dir);
}

void InPlaceKeeper::forget() {
  const auto waits = c_.places.prepared();
  if (auto gone = clear(waits ? waits->restore : at_work_); !gone) {
    log::warn("what was restored beside the data stays", {{"error", gone.error().message}});
    return;
  }
  at_work_.clear();
  const auto mark = read_restored_mark(c_.layout.data_dir);
  c_.local.update([&](Local& local) {
    local.prepared.clear();
    if (!local.backup || !local.backup->restored || local.backup->restored->step == Step::kRestored) return;
    local.backup->restored = mark ? std::optional(said_of(*mark)) : std::nullopt;
  });
}

InPlaceSeen InPlaceKeeper::look(const Standing& now) const {
  InPlaceSeen seen;
  seen.order = in_place_order(now.desired.get());
  seen.known = now.desired != nullptr;
  seen.may_write = now.may_write;
  if (const auto prepared = c_.places.prepared()) seen.prepared = prepared->restore;
  // The first data of a link that a Restore makes lie there, too, before there are any.
  if (postgres::exists(c_.layout.pgdata())) {
    const auto report = c_.local.copy().backup;
    seen.anything = c_.places.has_leftovers();
    seen.said = report && report->restored && report->restored->step != Step::kRestored;
  }
  // After what waits: once that has taken its place the mark says so.
  if (seen.order) {
    seen.kept = c_.places.kept(seen.order->name);
    if (const auto mark = read_restored_mark(c_.layout.data_dir)) {
      seen.done = mark->restore;
      seen.done_back = mark->brought_back;
    }
  }
  return seen;
}

// One segment at a time: an order is heard in between.
void InPlaceKeeper::store_log_left(const Standing& now, const std::stop_token& stop) {
  const bool stores =
      now.may_write && now.desired->backup && now.desired->backup->archiver == now.desired->settings.endpoint;
  const auto archive = stores ? c_.archive() : std::nullopt;
  if (!archive || c_.clock.boot_now() < left_at_) return;
  for (const std::string& pgdata : c_.places.all_kept()) {
    const auto stored = store_left(*archive, pgdata, stop);
    if (stored && !*stored) continue;
    if (!stored) {
      left_at_ = c_.clock.boot_now() + kRetryMax;
      log::warn("the last log of data that were put aside is not stored", {{"error", stored.error().message}});
    }
    return;
  }
  left_at_ = c_.clock.boot_now() + kLeftAgain;
}

void InPlaceKeeper::look_after(const Standing& now, const std::stop_token& stop) {
  const Local local = c_.local.copy();
  const bool follows = local.process == ProcessState::kReplicaRunning && local.seen && local.seen->in_recovery;
  const api::RestoreAssignment* order = in_place_order(now.desired.get());
  const std::string wanted = order && order->in_place->bring_back ? order->name : "";
  if (now.may_write || follows)
    for (const std::string& gone : c_.places.remove_kept(c_.clock.wall_now(), wanted))
      log::info("data that were kept for a while are removed", {{"restore", gone}});
  const InPlaceSeen seen = look(now);
  if (seen.known) store_log_left(now, stop);
  if (!seen.order) failed_.clear();
  switch (next_step(seen)) {
    case InPlaceStep::kNothing:
    case InPlaceStep::kDone: return;
    case InPlaceStep::kForget: return forget();
    case InPlaceStep::kPrepared:
      return c_.places.while_waiting(seen.order->name, seen.order->in_place->bring_back, [&](const PreparedData& data) {
        tell({seen.order->name, Step::kPrepared, "", std::nullopt, data.reached});
      });
    case InPlaceStep::kNotKept:
      return tell({seen.order->name, Step::kFailed, "the data that were there before are not kept any more"});
    case InPlaceStep::kPrepare: break;
  }
  if (now.desired->paused || seen.order->name == failed_ || c_.clock.boot_now() < next_at_) return;
  attempt(*seen.order, now, stop);
}

// Why an attempt under way may not go on, though it is asked for; empty: it may.
std::string InPlaceKeeper::ends_early(const postgres::Tablespaces& before) const {
  if (const auto room = free_bytes(c_.layout.data_dir); fits_ && room && *room < kLeft)
    return fmt::format(
        "the volume filled up meanwhile: {} are free. The data can't be restored beside those that are "
        "there: make the volume larger, or restore into a new link",
        gib(*room));
  for (const auto& [oid, location] : postgres::linked_tablespaces(c_.layout))
    if (!before.contains(oid)) return fmt::format("tablespace {} was made meanwhile", location);
  return "";
}

// Until it is done, or not this member's any more.
void InPlaceKeeper::attempt(const api::RestoreAssignment& order, const Standing& begun, const std::stop_token& stop) {
  if (std::exchange(at_work_, order.name) != order.name) {
    exhausted_ = {};
    retry_ = kRetry;
  }
  fits_ = false;
  const postgres::Tablespaces tablespaces = postgres::linked_tablespaces(c_.layout);
  Status outcome;
  std::string early;
  Signal over;
  std::stop_source own;
  const std::stop_callback on_stop(stop, [&] { own.request_stop(); });
  RoleThread attempting("restore-beside");
  attempting.start([&](const std::stop_token&) {
    outcome = prepare(order, *begun.desired, own.get_token());
    over.raise();
  });
  while (!over.wait(kLookAround, {})) {
    if (own.stop_requested()) continue;
    const Standing now = c_.standing();
    const api::RestoreAssignment* still = in_place_order(now.desired.get());
    early = ends_early(tablespaces);
    if (!early.empty() || !now.may_write || !still || still->name != order.name) own.request_stop();
  }
  attempting.stop();
  // Whatever the words are in which something that was stopped says so.
  if (outcome || (own.stop_requested() && early.empty())) return;
  const Error error = early.empty() ? outcome.error() : Error{Code::kUnavailable, early};
  log::warn("restore beside the data failed", {{"error", error.message}});
  const bool lasting = is_final(error);
  if (lasting) failed_ = order.name;
  next_at_ = c_.clock.boot_now() + retry_;
  retry_ = std::min(2 * retry_, kRetryMax);
  if (auto gone = clear(order.name); !gone)
    log::warn("what a restore that failed left stays", {{"error", gone.error().message}});
  tell({order.name, lasting ? Step::kFailed : Step::kFetching, error.message});
}

// The numbers of all timelines that this link ever had are at most this.
Result<int64_t> InPlaceKeeper::taken_timelines(const std::stop_token& stop) const {
  const auto own = c_.local.copy().timeline;
  const auto archive = c_.archive();
  if (!own || !archive)
    return fail(Code::kUnavailable, "which timelines the link had is not known before its log is stored");
  auto store = postgres::LineageStore::open(archive->config(), archive->stanza(), c_.clock);
  if (!store) return std::unexpected(store.error());
  const auto noted = store->list(stop);
  if (!noted) return std::unexpected(noted.error());
  int64_t highest = *own;
  for (const auto* entries : {&noted->begun, &noted->resumed, &noted->taken})
    for (const backup::LineageEntry& entry : *entries) highest = std::max<int64_t>(highest, entry.timeline);
  return highest + kUnheardOf;
}

Status InPlaceKeeper::prepare(const api::RestoreAssignment& order, const Desired& desired,
                              const std::stop_token& stop) {
  const auto taken = taken_timelines(stop);
  if (!taken) return std::unexpected(taken.error());
  if (auto gone = clear(order.name); !gone) return gone;
  const postgres::Layout layout = beside(c_.layout);
  postgres::Settings settings = desired.settings;
  settings.beside = true;
  BackupReport::Restored said{order.name, Step::kFetching, ""};
  const auto on_step = [&](const BackupReport::Restored& now) { tell(now); };
  RestorePlace place{layout, c_.places.tablespaces(order.name), *taken};
  place.fits = [&](const RestorePlan& plan) -> Status {
    const auto room = free_bytes(c_.layout.data_dir);
    if (!room) return fail(Code::kUnavailable, "how much room is free is not known");
    const std::string lacks = lacks_room(static_cast<uint64_t>(std::max<int64_t>(plan.backup.size_bytes, 0)), *room);
    fits_ = lacks.empty();
    return lacks.empty() ? Status{} : fail(Code::kInvalid, lacks);
  };
  place.may_recover = [&]() -> Status {
    const std::string makes =
        makes_tablespaces(postgres::linked_tablespaces(c_.layout), postgres::linked_tablespaces(layout));
    return makes.empty() ? Status{} : fail(Code::kInvalid, makes);
  };
  const auto made = restore_into({c_.children, c_.layout, c_.repository, settings, on_step, c_.clock, exhausted_},
                                 place, order, said, stop);
  if (!made) return std::unexpected(made.error());
  if (auto removed = postgres::remove_tree(layout.run_dir); !removed) return removed;
  return c_.places.mark_prepared({order.name, made->reached});
}

}  // namespace twinspan::worker
