#include "failover/report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace twinspan {
namespace {

template <class T>
void put(Json& json, const char* key, const std::optional<T>& value) {
  if (value) json[key] = *value;
}

void put(Json& json, const char* key, const std::optional<Position>& value) {
  if (value) json[key] = to_string(*value);
}

template <class T>
void take(const Json& json, const char* key, T& value) {
  if (const auto found = json.find(key); found != json.end()) found->get_to(value);
}

template <class T>
void take(const Json& json, const char* key, std::optional<T>& value) {
  if (const auto found = json.find(key); found != json.end()) value = found->get<T>();
}

void take(const Json& json, const char* key, std::optional<Position>& value) {
  const auto found = json.find(key);
  if (found == json.end()) return;
  value = parse_position(found->get<std::string>());
  if (!value) throw std::invalid_argument(fmt::format("{}: \"{}\": expected a position as 0/0", key, found->dump()));
}

Role parse_role(const std::string& text) {
  for (Role role : {Role::kNone, Role::kPrimary, Role::kReplica})
    if (to_string(role) == text) return role;
  throw std::invalid_argument(fmt::format("role: \"{}\": expected None, Primary or Replica", text));
}

}  // namespace

Json to_json(const MemberReport& report) {
  Json json = {{"endpoint", report.endpoint},
               {"instance", report.instance},
               {"address", report.address},
               {"role", to_string(report.role)},
               {"state", to_string(report.state)},
               {"message", report.message},
               {"databaseRunning", report.database_running},
               {"acceptsReads", report.accepts_reads},
               {"sqlFailures", report.sql_failures},
               {"systemId", report.system_id},
               {"receiverStopped", report.receiver_stopped},
               {"frozenFor", report.frozen_for.value},
               {"upstream", report.upstream},
               {"epoch", report.epoch.value},
               {"holdsLease", report.holds_lease},
               {"restartPending", report.restart_pending},
               {"generation", report.generation},
               {"version", report.version}};
  put(json, "sqlHealthy", report.sql_healthy);
  put(json, "timeline", report.timeline);
  put(json, "received", report.received);
  put(json, "replayed", report.replayed);
  put(json, "lagSeconds", report.lag_seconds);
  put(json, "lagBytes", report.lag_bytes);
  Json history = Json::array();
  for (const TimelineSwitch& past : report.history)
    history.push_back({{"timeline", past.timeline}, {"end", to_string(past.end)}});
  json["history"] = std::move(history);
  Json downstreams = Json::object();
  for (const auto& [name, seen] : report.downstreams) {
    Json one = {{"state", seen.state}, {"syncState", seen.sync_state}};
    put(one, "flushed", seen.flushed);
    put(one, "replayed", seen.replayed);
    put(one, "lagBytes", seen.lag_bytes);
    put(one, "lagSeconds", seen.lag_seconds);
    downstreams[name] = std::move(one);
  }
  json["downstreams"] = std::move(downstreams);
  if (!report.details.is_null()) json["details"] = report.details;
  if (report.progress)
    json["progress"] = {{"step", report.progress->step},
                        {"doneBytes", report.progress->done_bytes},
                        {"totalBytes", report.progress->total_bytes}};
  return json;
}

Result<MemberReport> parse_member_report(const Json& json) try {
  MemberReport report;
  take(json, "endpoint", report.endpoint);
  take(json, "instance", report.instance);
  take(json, "address", report.address);
  report.role = parse_role(json.value("role", "None"));
  const std::string state = json.value("state", "Unknown");
  report.state = parse_member_state(state).value_or(MemberState::kUnknown);
  take(json, "message", report.message);
  take(json, "databaseRunning", report.database_running);
  take(json, "acceptsReads", report.accepts_reads);
  take(json, "sqlHealthy", report.sql_healthy);
  take(json, "sqlFailures", report.sql_failures);
  take(json, "systemId", report.system_id);
  take(json, "timeline", report.timeline);
  take(json, "received", report.received);
  take(json, "replayed", report.replayed);
  take(json, "receiverStopped", report.receiver_stopped);
  take(json, "frozenFor", report.frozen_for.value);
  take(json, "upstream", report.upstream);
  take(json, "lagSeconds", report.lag_seconds);
  take(json, "lagBytes", report.lag_bytes);
  take(json, "epoch", report.epoch.value);
  take(json, "holdsLease", report.holds_lease);
  take(json, "restartPending", report.restart_pending);
  take(json, "generation", report.generation);
  take(json, "version", report.version);
  report.details = member_of(json, "details");
  for (const Json& past : json.value("history", Json::array())) {
    std::optional<Position> end;
    take(past, "end", end);
    report.history.push_back({past.at("timeline").get<uint32_t>(), end.value_or(Position{})});
  }
  const Json downstreams = json.value("downstreams", Json::object());  // named: items() refers to it
  for (const auto& [name, one] : downstreams.items()) {
    if (!one.is_object()) throw std::invalid_argument(fmt::format("downstreams.{}: expected an object", name));
    MemberReport::Downstream& seen = report.downstreams[name];
    take(one, "state", seen.state);
    take(one, "syncState", seen.sync_state);
    take(one, "flushed", seen.flushed);
    take(one, "replayed", seen.replayed);
    take(one, "lagBytes", seen.lag_bytes);
    take(one, "lagSeconds", seen.lag_seconds);
  }
  if (const auto progress = json.find("progress"); progress != json.end()) {
    report.progress.emplace();
    take(*progress, "step", report.progress->step);
    take(*progress, "doneBytes", report.progress->done_bytes);
    take(*progress, "totalBytes", report.progress->total_bytes);
  }
  return report;
} catch (const std::exception& wrong) {
  return fail(Code::kInvalid, fmt::format("member report: {}", wrong.what()));
}

}  // namespace twinspan
