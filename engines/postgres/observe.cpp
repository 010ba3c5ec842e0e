#include "engines/postgres/observe.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/json.hpp"
#include "engines/postgres/layout.hpp"

namespace twinspan::postgres {
namespace {

// CASE keeps the functions apart that only work in recovery, or only outside. A primary's timeline is in the name of
// the segment it writes; a replica's is the receiver's, else the one it has replayed up to.
constexpr const char* kQuery = R"(
SELECT json_build_object(
  'recovery', r,
  'timeline', CASE WHEN r THEN greatest((SELECT received_tli FROM pg_stat_wal_receiver),
                                        (SELECT min_recovery_end_timeline FROM pg_control_recovery()),
                                        (SELECT timeline_id FROM pg_control_checkpoint()))
                   ELSE ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::int END,
  'received', CASE WHEN r THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
                   ELSE pg_current_wal_flush_lsn() END,
  'replayed', CASE WHEN r THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END,
  'receiver', (SELECT json_build_object('status', status, 'end', latest_end_lsn,
                 'heard', last_msg_receipt_time,
                 'timeout', (SELECT setting::float8 / 1000 FROM pg_settings WHERE name = 'wal_receiver_timeout'))
               FROM pg_stat_wal_receiver),
  'senders', (SELECT coalesce(json_agg(json_build_object('user', usename, 'application', application_name, 'state', state, 'sync', sync_state,
                 'flushed', flush_lsn, 'replayed', replay_lsn, 'lag', extract(epoch FROM replay_lag),
                 'pid', pid, 'sent', sent_lsn, 'told', reply_time)), '[]') FROM pg_stat_replication),
  'sender_timeout', (SELECT setting::float8 / 1000 FROM pg_settings WHERE name = 'wal_sender_timeout'),
  'slots', (SELECT coalesce(json_agg(json_build_object('name', slot_name, 'active', active, 'wal', wal_status,
                 'kept', (CASE WHEN r THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END) - restart_lsn)), '[]')
              FROM pg_replication_slots WHERE slot_type = 'physical'),
  'tablespaces', (SELECT coalesce(json_agg(location), '[]') FROM pg_tablespace, pg_tablespace_location(oid) AS location
                  WHERE location LIKE '/%'),
  'archiving', current_setting('archive_mode') = 'always',
  'pending', (SELECT coalesce(json_agg(name), '[]') FROM pg_settings WHERE pending_restart),
  'version', current_setting('server_version'))::text
FROM pg_is_in_recovery() AS r)";

std::optional<Position> position(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_string()) return std::nullopt;
  return parse_position(found->get_ref<const std::string&>());
}

}  // namespace

Result<Observation> parse_observation(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(Code::kInvalid, "observation: expected a JSON object");
  try {
    Observation seen;
    seen.in_recovery = json.at("recovery").get<bool>();
    seen.timeline = json.at("timeline").is_null() ? 0 : json.at("timeline").get<uint32_t>();
    // Nothing replayed yet is position 0: recovery has not begun.
    seen.received = position(json, "received").value_or(Position{});
    seen.replayed = position(json, "replayed").value_or(Position{});
    if (const Json& receiver = json.at("receiver"); receiver.is_object()) {
      Observation::Receiver one;
      one.status = text_of(receiver, "status");
      one.upstream_end = position(receiver, "end").value_or(Position{});
      one.heard_at = text_of(receiver, "heard");
      one.timeout_seconds = receiver.at("timeout").get<double>();
      seen.receiver = one;
    }
    for (const Json& sender : json.at("senders")) {
      if (text_of(sender, "user") != kReplicationRole) {
        seen.strangers.push_back(
            {text_of(sender, "user"), text_of(sender, "application"), sender.at("pid").get<int64_t>()});
        continue;
      }
      Observation::Sender one;
      one.application = text_of(sender, "application");
      one.state = text_of(sender, "state");
      one.sync_state = text_of(sender, "sync");
      one.flushed = position(sender, "flushed");
      one.replayed = position(sender, "replayed");
      if (one.replayed && *one.replayed >= seen.received)
        one.lag_seconds = 0;
      else if (sender.at("lag").is_number())
        one.lag_seconds = sender.at("lag").get<double>();
      one.pid = sender.at("pid").get<int64_t>();
      one.sent = position(sender, "sent");
      one.told_at = text_of(sender, "told");
      seen.senders.push_back(std::move(one));
    }
    for (const Json& slot : json.at("slots"))
      seen.slots.push_back({text_of(slot, "name"), slot.at("active").get<bool>(), text_of(slot, "wal"),
                            static_cast<uint64_t>(std::max<int64_t>(0, integer_of(slot, "kept")))});
    seen.sender_timeout_seconds = json.at("sender_timeout").get<double>();
    for (const Json& location : json.at("tablespaces")) seen.tablespaces.push_back(location.get<std::string>());
    seen.archiving = json.at("archiving").get<bool>();
    for (const Json& name : json.at("pending")) seen.pending_restart.push_back(name.get<std::string>());
    seen.version = text_of(json, "version");
    return seen;
  } catch (const Json::exception& error) {
    return fail(Code::kInvalid, fmt::format("observation: {}", error.what()));
  }
}

Result<Observation> observe(Session& session, std::chrono::milliseconds timeout, const std::stop_token& stop) {
  auto rows = session.query(kQuery, {}, timeout, stop);
  if (!rows) return std::unexpected(rows.error());
  if (rows->size() != 1 || rows->front().size() != 1 || !rows->front().front())
    return fail(Code::kInternal, "observation: expected one row");
  return parse_observation(*rows->front().front());
}

}  // namespace twinspan::postgres
