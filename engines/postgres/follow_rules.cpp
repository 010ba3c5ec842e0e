#include "engines/postgres/follow_rules.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.hpp"

namespace twinspan::postgres {
namespace {

constexpr size_t kNamed = 5;
constexpr size_t kPartOfName = 24;  // PostgreSQL's names have at most 63 bytes
constexpr int64_t kOldest = 110000;

template <class Names>
std::string first_few(const Names& names) {
  std::string text;
  size_t count = 0;
  for (const std::string& name : names) {
    if (++count > kNamed) return fmt::format("{} and {} more", text, names.size() - kNamed);
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

}  // namespace

std::string follow_name(const ImportOrigin& origin, const ImportSource& source, std::string_view database) {
  std::string part;  // of what a slot's name may have
  for (const char c : to_lower(database).substr(0, kPartOfName))
    part += (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
  Fingerprint fingerprint;
  for (const std::string& text : {origin.system, std::to_string(origin.database), std::to_string(origin.timeline),
                                  source.host, std::to_string(source.port), source.database})
    fingerprint.add(text);
  return fmt::format("{}{}_{}", kImportSubscription, part, fingerprint.hex());
}

bool goes_on(const ImportFound& found, const std::string& name) {
  return found.mark == ImportMark::kBegun && found.origin.timeline != 0 &&
         found.origin.timeline == found.timeline_now &&
         std::find(found.subscriptions.begin(), found.subscriptions.end(), name) != found.subscriptions.end();
}

Status may_follow(const SourceSeen& seen, const ImportSource& source) {
  const auto refuse = [](std::string words) { return fail(Code::kInvalid, std::move(words)); };
  if (seen.version < kOldest)
    return refuse(
        fmt::format("the source is PostgreSQL {}, which can't be followed: 11 to 15 can; method Dump copies "
                    "from it, in a new link",
                    seen.version / 10000));
  if (seen.in_recovery) return refuse("the source is a replica, which can't be followed: host has to be its primary's");
  if (seen.wal_level != "logical")
    return refuse(
        fmt::format("wal_level of the source is {}, expected logical: ALTER SYSTEM SET wal_level = logical "
                    "there, and restart it",
                    seen.wal_level));
  if (seen.free_slots < kFollowSlots)
    return refuse(
        fmt::format("the source has {} replication slots left, {} are needed: enlarge max_replication_slots "
                    "there and restart it, or drop what nobody uses (pg_replication_slots)",
                    seen.free_slots, kFollowSlots));
  if (seen.free_senders < kFollowSlots)
    return refuse(
        fmt::format("the source has {} WAL senders left, {} are needed: enlarge max_wal_senders there and "
                    "restart it",
                    seen.free_senders, kFollowSlots));
  if (!seen.may_replicate)
    return refuse(
        fmt::format("username: \"{0}\" may not replicate: ALTER ROLE \"{0}\" REPLICATION at the source", source.user));
  if (!seen.may_create)
    return refuse(
        fmt::format("username: \"{0}\" may make no publication: GRANT CREATE ON DATABASE \"{1}\" TO \"{0}\" "
                    "at the source",
                    source.user, source.database));
  if (!seen.of_others.empty())
    return refuse(
        fmt::format("username: \"{}\" may not publish {}: at the source it has to own them, or be a member of "
                    "the role that does (GRANT that role TO \"{}\")",
                    source.user, first_few(seen.of_others), source.user));
  if (!seen.unreadable_sequences.empty())
    return refuse(fmt::format("username: \"{}\" may not read {}: GRANT SELECT on them at the source", source.user,
                              first_few(seen.unreadable_sequences)));
  if (auto fine = have_identity(seen.without_identity); !fine) return fine;
  if (!seen.hidden_rows.empty())
    return refuse(fmt::format("username: {}: ALTER ROLE \"{}\" BYPASSRLS at the source", hidden_rows(seen.hidden_rows),
                              source.user));
  if (!seen.unlogged.empty())
    return refuse(
        fmt::format("unlogged: {}. Their rows can't be followed: ALTER TABLE ... SET LOGGED at the source, or "
                    "drop them",
                    first_few(seen.unlogged)));
  if (!seen.always_triggers.empty())
    return refuse(
        fmt::format("triggers that fire for replicated rows, too: {}. What they do would be done twice: ALTER "
                    "TABLE ... ENABLE TRIGGER at the source",
                    first_few(seen.always_triggers)));
  if (seen.large_objects > 0)
    return refuse(
        fmt::format("the source has {} large objects, which can't be followed: remove them there, or take "
                    "method Dump in a new link",
                    seen.large_objects));
  return {};
}

std::string differences(const std::set<std::string>& there, const std::set<std::string>& here) {
  std::vector<std::string> only_there, only_here;
  std::set_difference(there.begin(), there.end(), here.begin(), here.end(), std::back_inserter(only_there));
  std::set_difference(here.begin(), here.end(), there.begin(), there.end(), std::back_inserter(only_here));
  std::string text;
  if (!only_there.empty()) text = "only at the source: " + first_few(only_there);
  if (!only_here.empty()) text += (text.empty() ? "" : "; ") + ("only here: " + first_few(only_here));
  return text;
}

std::string not_followed(const std::vector<std::string>& there, const std::vector<std::string>& followed) {
  const std::set<std::string> known(followed.begin(), followed.end());
  std::vector<std::string> late;
  std::copy_if(there.begin(), there.end(), std::back_inserter(late),
               [&](const auto& one) { return !known.contains(one); });
  return late.empty() ? "" : "made since, its rows are not followed: " + first_few(late);
}

std::string hidden_rows(const std::vector<std::string>& tables) {
  return tables.empty() ? "" : "row-level security hides rows of " + first_few(tables);
}

Status have_identity(const std::vector<std::string>& without) {
  if (without.empty()) return {};
  return fail(Code::kInvalid,
              fmt::format("without replica identity: {}. Once published, they could be updated at the source no more: "
                          "give each a primary key there, or ALTER TABLE ... REPLICA IDENTITY",
                          first_few(without)));
}

Error follow_error(const Error& error) {
  return error.code == Code::kConflict || error.code == Code::kGone ? error : explained(error);
}

FollowTrouble::Verdict FollowTrouble::look(const FollowSeen& seen) {
  const bool copying = fails(copy_, first_, seen.copy_errors, std::to_string(seen.here));
  const bool applying = fails(apply_, first_, seen.apply_errors, seen.confirmed);
  first_ = false;
  if (applying) return Verdict::kApplyFails;
  return copying ? Verdict::kCopyFails : Verdict::kFine;
}

bool FollowTrouble::fails(Count& count, bool first, int64_t errors, std::string reached) {
  if (first || reached != count.reached || errors < count.errors) count = {errors, std::move(reached)};
  return errors - count.errors >= kFailures;
}

}  // namespace twinspan::postgres
