#include "failover/report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace twinspan {
namespace {

template <class T>
void put(Json& json, const char* key, const T& value) {
  json[key] = value;
}

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

// Every field that is written and read as it is, with its name.
template <class Report, class Field>
void fields_of(Report& report, Field field) {
  field("endpoint", report.endpoint);
  field("instance", report.instance);
  field("address", report.address);
  field("message", report.message);
  field("databaseRunning", report.database_running);
  field("acceptsReads", report.accepts_reads);
  field("sqlHealthy", report.sql_healthy);
  field("sqlFailures", report.sql_failures);
  field("systemId", report.system_id);
  field("timeline", report.timeline);
  field("received", report.received);
  field("replayed", report.replayed);
  field("receiverStopped", report.receiver_stopped);
  field("frozenFor", report.frozen_for.value);
  field("upstream", report.upstream);
  field("lagSeconds", report.lag_seconds);
  field("lagBytes", report.lag_bytes);
  field("epoch", report.epoch.value);
  field("holdsLease", report.holds_lease);
  field("restartPending", report.restart_pending);
  field("generation", report.generation);
  field("version", report.version);
}

template <class Downstream, class Field>
void fields_of_downstream(Downstream& seen, Field field) {
  field("state", seen.state);
  field("syncState", seen.sync_state);
  field("flushed", seen.flushed);
  field("replayed", seen.replayed);
  field("lagBytes", seen.lag_bytes);
  field("lagSeconds", seen.lag_seconds);
}

template <class Step, class Field>
void fields_of_progress(Step& progress, Field field) {
  field("step", progress.step);
  field("doneBytes", progress.done_bytes);
  field("totalBytes", progress.total_bytes);
}

auto into(Json& json) {
  return [&json](const char* key, const auto& value) { put(json, key, value); };
}

auto from(const Json& json) {
  return [&json](const char* key, auto& value) { take(json, key, value); };
}

}  // namespace

Json to_json(const MemberReport& report) {
  Json json = {{"role", to_string(report.role)}, {"state", to_string(report.state)}};
  fields_of(report, into(json));
  Json history = Json::array();
  for (const TimelineSwitch& past : report.history)
    history.push_back({{"timeline", past.timeline}, {"end", to_string(past.end)}});
  json["history"] = std::move(history);
  Json downstreams = Json::object();
  for (const auto& [name, seen] : report.downstreams) fields_of_downstream(seen, into(downstreams[name]));
  json["downstreams"] = std::move(downstreams);
  if (!report.details.is_null()) json["details"] = report.details;
  if (report.progress) fields_of_progress(*report.progress, into(json["progress"]));
  return json;
}

Result<MemberReport> parse_member_report(const Json& json) try {
  MemberReport report;
  fields_of(report, from(json));
  report.role = parse_role(json.value("role", "None"));
  report.state = parse_member_state(json.value("state", "Unknown")).value_or(MemberState::kUnknown);
  report.details = member_of(json, "details");
  for (const Json& past : json.value("history", Json::array())) {
    std::optional<Position> end;
    take(past, "end", end);
    report.history.push_back({past.at("timeline").get<uint32_t>(), end.value_or(Position{})});
  }
  const Json downstreams = json.value("downstreams", Json::object());  // named: items() refers to it
  for (const auto& [name, one] : downstreams.items()) {
    if (!one.is_object()) throw std::invalid_argument(fmt::format("downstreams.{}: expected an object", name));
    fields_of_downstream(report.downstreams[name], from(one));
  }
  if (const auto progress = json.find("progress"); progress != json.end())
    fields_of_progress(report.progress.emplace(), from(*progress));
  return report;
} catch (const std::exception& wrong) {
  return fail(Code::kInvalid, fmt::format("member report: {}", wrong.what()));
}

}  // namespace twinspan
