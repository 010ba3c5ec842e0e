#include "engines/postgres/follow.hpp"

#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "core/wait.hpp"
#include "engines/postgres/admin.hpp"
#include "engines/postgres/sql_objects.hpp"

namespace twinspan::postgres {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kConnect{10000}, kTime{60000};
constexpr std::chrono::hours kLongest{24 * 7};
constexpr std::chrono::milliseconds kLook{1000}, kLookAtCut{50};
constexpr std::chrono::seconds kUnstreamed{30};  // so long without a stream: files are written anew, and it is said
constexpr std::chrono::seconds kBetweenCuts{5}, kBetweenCutsMost{60};  // doubled by each that did not come about
// A cut locks tables at the source. Whoever writes there waits no longer than this, should it not come about; where
// this end vanishes, for as long as the source lets a transaction idle.
constexpr std::chrono::seconds kAppliedBefore{20}, kApplied{5}, kGone{5}, kIdle{15};
constexpr int64_t kLagAtCut = 16 << 20;

// Columns by name: their order may differ. Those of views follow from their tables, and sequences have the same ones.
Result<std::set<std::string>> relations_of(Session& session, const std::stop_token& stop) {
  const auto found = list_names(
      session,
      fmt::format(
          "SELECT CASE relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'S' THEN 'sequence '"
          "  WHEN 'i' THEN 'index ' WHEN 'I' THEN 'index ' ELSE 'table ' END || {} || coalesce((SELECT ' (' || "
          "  string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attname) || ')'"
          "  FROM pg_attribute WHERE relkind IN ('r', 'p', 'f') AND attrelid = c.oid AND attnum > 0 AND NOT "
          "attisdropped), '') || coalesce((SELECT ' of ' || string_agg(inhparent::regclass::text, ', ' ORDER BY"
          "  inhparent::regclass::text) FROM pg_inherits WHERE relkind IN ('r', 'p', 'f') AND inhrelid = c.oid), '')"
          " || coalesce(' ' || pg_get_expr(relpartbound, c.oid), '')"
          " FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace LEFT JOIN pg_index i ON indexrelid = c.oid"
          " WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'i', 'I') AND {} AND (relkind <> 'i' OR indisvalid)"
          " AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = indrelid"
          " AND deptype = 'e')",
          kQuotedName, kTheirs),
      stop);
  if (!found) return std::unexpected(found.error());
  return std::set<std::string>(found->begin(), found->end());
}

class Follower {
 public:
  Follower(const Layout& layout, int port, const Following& following, const FollowSteps& steps,
           const std::stop_token& stop)
      : layout_(layout), port_(port), following_(following), steps_(steps), stop_(stop) {}

  Status run_on() {
    if (auto opened = open(); !opened) return opened;
    std::chrono::seconds between = kBetweenCuts;
    for (auto streamed_at = steady_clock::now(), cut_at = streamed_at - between;;) {
      auto seen = look();
      if (!seen) return std::unexpected(seen.error());
      if (auto fine = still_ours(*seen); !fine) return fine;
      if (seen->streams) streamed_at = steady_clock::now();
      const FollowTrouble::Verdict verdict = trouble_.look(*seen);
      if (verdict != FollowTrouble::Verdict::kFine) {
        tell(FollowReport::Stage::kFailing, words_of(verdict), *seen);
      } else if (steady_clock::now() - streamed_at > kUnstreamed) {
        return fail(Code::kConflict, "the source sends nothing, the log of the primary here says why");
      } else if (seen->ready < seen->tables) {
        tell(FollowReport::Stage::kRows, "rows are being copied, and what is written meanwhile", *seen);
      } else if (!analyzed_) {
        tell(FollowReport::Stage::kStatistics, "rows are here; statistics are being made", *seen);
        if (auto done = run(*inside_, "ANALYZE", kLongest, stop_); !done) return done;
        analyzed_ = true;
        continue;
      } else if (!steps_.cut_over()) {
        if (auto told = tell_following(*seen); !told) return told;
      } else if (seen->streams && steady_clock::now() - cut_at >= between) {
        const Status cut = cut_over(*seen);
        if (cut) return {};
        if (!source_->alive() || !inside_->alive() || stop_.stop_requested()) return cut;
        cut_at = steady_clock::now();
        if (cut_locked_) between = std::min(2 * between, kBetweenCutsMost);
        const Error why = follow_error(cut.error());
        tell(why.retryable ? FollowReport::Stage::kCuttingOver : FollowReport::Stage::kFailing, why.message, *seen);
      }
      if (!wait_for(kLook, stop_)) return fail(Code::kCancelled, "stopped");
    }
  }

 private:
  Status open() {
    auto source = open_source_to_write(following_.source, stop_);
    if (!source) return std::unexpected(source.error());
    source_ = std::make_unique<Session>(std::move(*source));
    auto inside = open_local(layout_, port_, kConnect, stop_, following_.database);
    if (!inside) return std::unexpected(inside.error());
    inside_ = std::make_unique<Session>(std::move(*inside));
    return run(*inside_, "SET search_path = pg_catalog", kTime, stop_);
  }

  Result<FollowSeen> look() {
    const auto here = inside_->query(
        "SELECT subenabled, (SELECT datconnlimit = 0 FROM pg_database WHERE oid = subdbid), count(srrelid),"
        " count(*) FILTER (WHERE srsubstate IN ('r', 's')), count(*) FILTER (WHERE srsubstate = 'r'),"
        " EXISTS (SELECT FROM pg_stat_subscription a WHERE a.subid = s.oid AND a.pid IS NOT NULL),"
        " (SELECT apply_error_count FROM pg_stat_subscription_stats t WHERE t.subid = s.oid),"
        " (SELECT sync_error_count FROM pg_stat_subscription_stats t WHERE t.subid = s.oid)"
        " FROM pg_subscription s LEFT JOIN pg_subscription_rel ON srsubid = s.oid WHERE subname = $1 GROUP BY s.oid",
        {following_.name}, kTime, stop_);
    if (!here) return std::unexpected(here.error());
    if (here->empty()) return fail(Code::kGone, fmt::format("subscription {} was dropped", following_.name));
    const Row& row = here->front();
    FollowSeen seen;
    seen.enabled = row[0] == "t";
    seen.shut = row[1] == "t";
    seen.tables = integer_of(row[2]);
    seen.here = integer_of(row[3]);
    seen.ready = integer_of(row[4]);
    seen.working = row[5] == "t";
    seen.apply_errors = integer_of(row[6]);
    seen.copy_errors = integer_of(row[7]);
    // Servers before 13 know no wal_status, and drop nothing.
    const auto there = source_->query(
        "SELECT active, confirmed_flush_lsn, pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint,"
        " coalesce(to_jsonb(s) ->> 'wal_status', '') = 'lost' FROM pg_replication_slots s WHERE slot_name = $1",
        {following_.name}, kTime, stop_);
    if (!there) return std::unexpected(there.error());
    seen.slot_lost = there->empty() || there->front()[3] == "t";
    if (seen.slot_lost) return seen;
    seen.streams = there->front()[0] == "t";
    seen.confirmed = there->front()[1].value_or("");
    seen.lag_bytes = std::max<int64_t>(0, integer_of(there->front()[2]));
    return seen;
  }

  Status still_ours(const FollowSeen& seen) {
    if (!seen.shut) return fail(Code::kConflict, fmt::format("database {} was opened meanwhile", following_.database));
    if (seen.slot_lost)
      return fail(Code::kGone, fmt::format("slot {} is lost at the source, and with it what was yet to come: enlarge "
                                           "max_slot_wal_keep_size there; it is copied anew",
                                           following_.name));
    if (seen.enabled) return {};
    return run(*inside_, fmt::format("ALTER SUBSCRIPTION {} ENABLE", name()), kTime,
               stop_);  // of a cut that was cut short
  }

  std::string name() const { return quoted_identifier(following_.name); }

  std::string words_of(FollowTrouble::Verdict verdict) const {
    return fmt::format(
        "{} fails again and again; the log of the primary here says why. Where definitions were changed at the source, "
        "undo that there, {}",
        verdict == FollowTrouble::Verdict::kCopyFails ? "the copy of a table" : "what was written at the source",
        or_else());
  }

  // What people can do about definitions but undoing what was changed.
  std::string or_else() const {
    return fmt::format(
        "or, where the change rewrites no rows, make the same here as superuser; to copy anew: DROP SUBSCRIPTION {} in "
        "database {} here",
        following_.name, following_.database);
  }

  void tell(FollowReport::Stage stage, std::string message, const FollowSeen& seen) {
    steps_.told({stage, std::move(message), seen});
  }

  Result<std::string> differing() {
    const auto there = relations_of(*source_, stop_);
    if (!there) return std::unexpected(there.error());
    const auto here = relations_of(*inside_, stop_);
    if (!here) return std::unexpected(here.error());
    std::string text = differences(*there, *here);
    // What was made on both sides since is published by nobody.
    const auto tables = list_names(*source_, theirs(kQuotedName, "r", "true"), stop_);
    if (!tables) return std::unexpected(tables.error());
    const auto followed = list_names(*inside_,
                                     fmt::format("SELECT {} FROM pg_subscription JOIN pg_subscription_rel ON srsubid ="
                                                 " pg_subscription.oid JOIN pg_class c ON c.oid = srrelid JOIN"
                                                 " pg_namespace n ON n.oid = relnamespace WHERE subname = {}",
                                                 kQuotedName, quoted_literal(following_.name)),
                                     stop_);
    if (!followed) return std::unexpected(followed.error());
    // One that was dropped there and made again has its name here still, and is published no more.
    const auto published = list_names(*source_, published_by(following_.name), stop_);
    if (!published) return std::unexpected(published.error());
    const auto hidden = list_names(*source_, theirs(kQuotedName, "r", "row_security_active(c.oid)"), stop_);
    if (!hidden) return std::unexpected(hidden.error());
    const auto objects = source_->query("SELECT count(*) FROM pg_largeobject_metadata", {}, kTime, stop_);
    if (!objects) return std::unexpected(objects.error());
    const int64_t large = integer_of(objects->front()[0]);
    for (const std::string& more :
         {not_followed(*tables, *followed), not_followed(*followed, *published), hidden_rows(*hidden),
          large == 0 ? std::string() : fmt::format("{} large objects, which are not followed", large)})
      if (!more.empty()) text += (text.empty() ? "" : "; ") + more;
    return text;
  }

  Status definitions_agree() {
    const auto differing = this->differing();
    if (!differing) return std::unexpected(differing.error());
    if (differing->empty()) return {};
    return fail(Code::kInvalid,
                fmt::format("definitions differ: {}. Undo that at the source, {}", *differing, or_else()));
  }

  Status tell_following(const FollowSeen& seen) {
    constexpr int kSeldom = 10;
    if (looks_++ % kSeldom == 0) {
      auto differing = this->differing();
      if (!differing) return std::unexpected(differing.error());
      differing_ = std::move(*differing);
    }
    tell(FollowReport::Stage::kFollowing,
         differing_.empty()
             ? "what is written at the source follows; once nobody writes there any more, set cutOver: true"
             : "what is written at the source follows, but definitions differ: " + differing_,
         seen);
    return {};
  }

  // What is committed at the source before the lock is here when this returns well. Nothing is dropped before clients
  // are let in, so that whatever goes wrong it may be done again.
  Status cut_over(const FollowSeen& seen) {
    cut_locked_ = false;
    if (auto agree = definitions_agree(); !agree) return agree;
    if (seen.lag_bytes.value_or(0) > kLagAtCut)
      return fail(Code::kConflict, fmt::format("{} MiB of the source's log are yet to come", *seen.lag_bytes >> 20));
    tell(FollowReport::Stage::kCuttingOver, "what is left is waited for", seen);
    Status taken = take_the_rest();
    if (source_->alive()) {
      const Status unlocked = run(*source_, "ROLLBACK", kTime, stop_);
      if (taken && !unlocked) taken = unlocked;
    }
    if (!taken) return taken;
    tell(FollowReport::Stage::kCuttingOver, "all is here; materialized views are being refreshed", seen);
    if (auto refreshed = refresh_views(); !refreshed) return refreshed;
    return steps_.complete();
  }

  Status take_the_rest() {
    const auto tables = list_names(*source_, theirs(kQuotedName, "r", "true"), stop_);
    if (!tables) return std::unexpected(tables.error());
    // Once without keeping anybody from writing: what is sent is applied, and little will be left.
    if (auto applied = wait_until_here(kAppliedBefore); !applied) return applied;
    cut_locked_ = true;
    if (auto locked = lock(*tables); !locked) return locked;
    if (auto applied = wait_until_here(kApplied); !applied) return applied;
    // Of transactions, too, that were waited for.
    if (auto agree = definitions_agree(); !agree) return agree;
    if (auto set = set_sequences(); !set) return set;
    return stop_applying();
  }

  // Waits for transactions that have written, and keeps others from it; readers don't notice. All locks together in
  // less time than a deadlock is looked for: else it is a transaction of theirs that ends by it.
  Status lock(const std::vector<std::string>& tables) {
    std::string list;
    for (const std::string& table : tables) list += (list.empty() ? "ONLY " : ", ONLY ") + table;
    if (auto begun = run(*source_,
                         fmt::format("BEGIN; SET LOCAL idle_in_transaction_session_timeout = '{}s'; SELECT set_config("
                                     "'statement_timeout', greatest(50, least(3000, setting::int * 4 / 5))::text, true)"
                                     " FROM pg_settings WHERE name = 'deadlock_timeout'",
                                     kIdle.count()),
                         kTime, stop_);
        !begun)
      return begun;
    Status locked;
    if (!list.empty()) locked = run(*source_, "LOCK TABLE " + list + " IN SHARE MODE", kTime, stop_);
    if (locked) return run(*source_, "SET LOCAL statement_timeout = '60s'", kTime, stop_);
    if (locked.error().message.find("statement timeout") != std::string::npos ||
        locked.error().message.find("lock timeout") != std::string::npos)
      return fail(Code::kConflict,
                  "tables are being written to at the source: stop whoever writes there, also prepared transactions; "
                  "it is tried again");
    return locked;
  }

  // The end of the source's log with all that was committed before, on its disk: a transaction that has committed
  // asynchronously is sent only once it is there.
  Result<std::string> position_now() {
    auto other = open_source_to_write(following_.source, stop_);
    if (!other) return std::unexpected(other.error());
    if (auto said = run(*other, "SELECT pg_logical_emit_message(true, 'twinspan', 'cut over')", kTime, stop_); !said)
      return std::unexpected(said.error());
    const auto position = other->query("SELECT pg_current_wal_flush_lsn()", {}, kTime, stop_);
    if (!position) return std::unexpected(position.error());
    return position->front()[0].value_or("");
  }

  // All that is there by now; on disk here: no other is confirmed.
  Status wait_until_here(std::chrono::seconds patience) {
    const auto position = position_now();
    if (!position) return std::unexpected(position.error());
    for (const auto until = steady_clock::now() + patience; steady_clock::now() < until;) {
      const auto here =
          source_->query("SELECT confirmed_flush_lsn >= $2::pg_lsn FROM pg_replication_slots WHERE slot_name = $1",
                         {following_.name, *position}, kTime, stop_);
      if (!here) return std::unexpected(here.error());
      if (!here->empty() && here->front()[0] == "t") return {};
      if (!wait_for(kLookAtCut, stop_)) return fail(Code::kCancelled, "stopped");
    }
    return fail(Code::kConflict,
                fmt::format("what is left was not here within {} s; it is tried again", patience.count()));
  }

  Status set_sequences() {
    const auto sequences = list_names(*source_, theirs(kQuotedName, "S", "true"), stop_);
    if (!sequences) return std::unexpected(sequences.error());
    std::string read;
    for (const std::string& one : *sequences)
      read += fmt::format("{}SELECT {}, last_value, is_called FROM {}", read.empty() ? "" : " UNION ALL ",
                          quoted_literal(one), one);
    if (read.empty()) return {};
    const auto values = source_->simple(read, kTime, stop_);
    if (!values) return std::unexpected(values.error());
    std::string set;
    for (const Row& row : *values)
      set += fmt::format("SELECT setval({}::regclass, {}, {});", quoted_literal(row[0].value_or("")),
                         integer_of(row[1]), row[2] == "t");
    return run(*inside_, set, kTime, stop_);
  }

  Status stop_applying() {
    if (auto stopped = run(*inside_, fmt::format("ALTER SUBSCRIPTION {} DISABLE", name()), kTime, stop_); !stopped)
      return stopped;
    for (const auto until = steady_clock::now() + kGone; steady_clock::now() < until;) {
      const auto seen = look();
      if (!seen) return std::unexpected(seen.error());
      if (!seen->working) return {};
      if (!wait_for(kLookAtCut, stop_)) return fail(Code::kCancelled, "stopped");
    }
    return fail(Code::kConflict, "the subscription's worker does not end; it is tried again");
  }

  // By oid: one that reads another was made later.
  Status refresh_views() {
    const auto views = list_names(
        *inside_,
        fmt::format("SELECT {} FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'm' AND {}"
                    " AND relispopulated ORDER BY c.oid",
                    kQuotedName, kTheirs),
        stop_);
    if (!views) return std::unexpected(views.error());
    for (const std::string& view : *views)
      if (auto done = run(*inside_, "REFRESH MATERIALIZED VIEW " + view, kLongest, stop_); !done) return done;
    return {};
  }

  const Layout& layout_;
  const int port_;
  const Following& following_;
  const FollowSteps& steps_;
  const std::stop_token& stop_;
  std::unique_ptr<Session> source_, inside_;
  FollowTrouble trouble_;
  std::string differing_;
  int looks_ = 0;
  bool cut_locked_ = false;  // the last cut kept others from writing
  bool analyzed_ = false;
};

}  // namespace

Status follow(const Layout& layout, int port, const Following& following, const FollowSteps& steps,
              const std::stop_token& stop) {
  const Status done = Follower(layout, port, following, steps, stop).run_on();
  return done ? done : std::unexpected(follow_error(done.error()));
}

}  // namespace twinspan::postgres
