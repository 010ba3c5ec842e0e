// Of the import keeper: method Logical, from the subscription to the cut.
#include <fmt/format.h>

#include <chrono>

#include "core/log.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/import_marks.hpp"
#include "worker/postgres/import_keeper.hpp"

namespace twinspan::worker {
namespace {

using api::ImportPhase;
using postgres::Following;
using postgres::FollowReport;
using postgres::ImportFound;

ImportPhase phase_of(FollowReport::Stage stage) {
  switch (stage) {
    case FollowReport::Stage::kRows:
    case FollowReport::Stage::kStatistics: return ImportPhase::kRows;
    case FollowReport::Stage::kFollowing: return ImportPhase::kFollowing;
    case FollowReport::Stage::kCuttingOver: return ImportPhase::kCuttingOver;
    case FollowReport::Stage::kFailing: break;
  }
  return ImportPhase::kFailed;
}

Following following_of(const Desired& desired, const ImportFound& found, const postgres::ImportSource& source) {
  return {source, postgres::follow_name(found.origin, source, desired.database), desired.database};
}

}  // namespace

bool ImportKeeper::cut_over_asked() const {
  const Standing now = c_.standing();
  return now.may_write && now.desired && !now.desired->paused && now.desired->import_ && now.desired->import_->cut_over;
}

// What is to be said once it is complete.
Result<std::string> ImportKeeper::attempt_to_follow(const Desired& desired, postgres::ImportWanted wanted,
                                                    postgres::ImportStep step, const std::stop_token& stop) {
  std::string left_out;
  if (step != postgres::ImportStep::kFollow) {
    // First, or it keeps the source's log for as long as anything there is in the way.
    if (auto left = forget_half(desired, wanted.source, stop); !left) return std::unexpected(left.error());
    if (auto fine = postgres::check_source(c_.layout, c_.postgres_port, wanted.source, stop); !fine)
      return std::unexpected(fine.error());
    wanted.schema_only = true;
    const auto made =
        postgres::import_database(c_.children, c_.layout, c_.postgres_port, wanted, steps(desired, wanted, stop), stop);
    if (!made) return std::unexpected(made.error());
    left_out = postgres::left_out_words(*made);
  }
  const auto found = postgres::look_at_import(c_.layout, c_.postgres_port, desired.database, stop);
  if (!found) return std::unexpected(found.error());
  const Following following = following_of(desired, *found, wanted.source);
  if (step != postgres::ImportStep::kFollow) {
    tell([](api::ImportStatus& status) {
      status.phase = ImportPhase::kRows;
      status.tables_done = 0;
      status.message = "the source makes a slot, once all transactions are over that run there now";
    });
    if (auto made = postgres::subscribe(c_.layout, c_.postgres_port, following, stop); !made) {
      leave_source(following, found->origin.system, stop);
      return std::unexpected(made.error());
    }
  }
  if (auto followed = follow(desired, following, stop); !followed) {
    // Where it can't go on, the next attempt finds no subscription, and begins anew.
    if (followed.error().code == Code::kGone)
      if (auto dropped = postgres::drop_subscriptions(c_.layout, c_.postgres_port, desired.database, stop); !dropped)
        return std::unexpected(dropped.error());
    return std::unexpected(followed.error());
  }
  std::string words = leave_source(following, found->origin.system, stop);
  if (auto dropped = postgres::drop_subscriptions(c_.layout, c_.postgres_port, desired.database, stop); !dropped)
    log::warn("the subscription of a complete import is left", {{"error", dropped.error().message}});
  return left_out + (left_out.empty() || words.empty() ? "" : "; ") + words;
}

Status ImportKeeper::follow(const Desired& desired, const Following& following, const std::stop_token& stop) {
  std::optional<BootTime> asked_at;
  const Status followed = postgres::follow(c_.layout, c_.postgres_port, following,
                                           {[this](const FollowReport& report) {
                                              tell([&](api::ImportStatus& status) {
                                                status.phase = phase_of(report.stage);
                                                status.message = report.message;
                                                status.tables = report.seen.tables;
                                                status.tables_done = report.seen.here;
                                                status.lag_bytes = report.seen.lag_bytes;
                                              });
                                            },
                                            [this, &asked_at] {
                                              const bool asked = cut_over_asked();
                                              if (asked && !asked_at) asked_at = c_.clock.boot_now();
                                              return asked;
                                            },
                                            [this, &desired, &stop] {
                                              // Whoever may write no more lets nobody in.
                                              if (!cut_over_asked())
                                                return Status(fail(Code::kConflict, "cutOver is asked for no more"));
                                              return complete(desired, stop);
                                            }},
                                           stop);
  if (followed && asked_at)
    log::info("cut over",
              {{"database", desired.database},
               {"duration_ms",
                std::chrono::duration_cast<std::chrono::milliseconds>(c_.clock.boot_now() - *asked_at).count()}});
  return followed;
}

// What is left there is said: it keeps the source's log.
std::string ImportKeeper::leave_source(const Following& following, const std::string& system,
                                       const std::stop_token& stop) {
  const Status left = postgres::leave_source(following, system, stop);
  if (left) return "";
  log::warn("slot and publication of an import are left at the source",
            {{"name", following.name}, {"error", left.error().message}});
  return fmt::format("drop slot and publication {} at the source: {}", following.name, left.error().message);
}

// Half of an earlier attempt keeps its slot at the source. What a Restore brought is another cluster's, which may still
// follow by it.
Status ImportKeeper::forget_half(const Desired& desired, const postgres::ImportSource& source,
                                 const std::stop_token& stop) {
  const auto found = postgres::look_at_import(c_.layout, c_.postgres_port, desired.database, stop);
  if (!found) return std::unexpected(found.error());
  if (found->mark != postgres::ImportMark::kBegun || found->origin.timeline == 0 || !desired.restored_by.empty())
    return {};
  return postgres::leave_source(following_of(desired, *found, source), found->origin.system, stop);
}

// An earlier life let clients in and got no further. What is left at the source, for people.
std::string ImportKeeper::finish_leaving(const Desired& desired, const ImportFound& found,
                                         const std::stop_token& stop) {
  std::string words;
  if (desired.import_->method == api::ImportMethod::kLogical && desired.restored_by.empty()) {
    if (const auto wanted = this->wanted(desired, "", stop))
      words = leave_source(following_of(desired, found, wanted->source), found.origin.system, stop);
    else
      words = fmt::format("drop slot and publication {} at the source: {}",
                          following_of(desired, found, source_of(*desired.import_)).name, wanted.error().message);
  }
  (void)postgres::remove_tree(directory());
  (void)postgres::drop_subscriptions(c_.layout, c_.postgres_port, desired.database, stop);
  return words;
}

}  // namespace twinspan::worker
