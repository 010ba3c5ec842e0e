#include "contract/member_report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "contract/member_memory.hpp"

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

[[noreturn]] void refuse(const char* key, const Json& value, std::string_view expected) {
  throw std::invalid_argument(fmt::format("{}: {}: expected {}", key, value.dump(), expected));
}

template <class T>
T read(const char* key, const Json& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    if (!value.is_string()) refuse(key, value, "a text");
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_boolean()) refuse(key, value, "true or false");
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!value.is_number()) refuse(key, value, "a number");
  } else {
    const bool fits = value.is_number_unsigned()  ? std::in_range<T>(value.get<uint64_t>())
                      : value.is_number_integer() ? std::in_range<T>(value.get<int64_t>())
                                                  : false;
    if (!fits) refuse(key, value, "a whole number in range");
  }
  return value.get<T>();
}

template <>
Position read<Position>(const char* key, const Json& value) {
  const auto position = value.is_string() ? parse_position(value.get<std::string>()) : std::nullopt;
  if (!position) refuse(key, value, "a position as 0/0");
  return *position;
}

template <class T>
void take(const Json& json, const char* key, T& value) {
  if (const Json& found = member_of(json, key); !found.is_null()) value = read<T>(key, found);
}

template <class T>
void take(const Json& json, const char* key, std::optional<T>& value) {
  if (const Json& found = member_of(json, key); !found.is_null()) value = read<T>(key, found);
}

// A word of a newer agent's says nothing.
Role parse_role(const std::string& text) {
  for (Role role : {Role::kPrimary, Role::kReplica})
    if (to_string(role) == text) return role;
  return Role::kNone;
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
  field("prepared", report.prepared);
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

template <class Volume, class Field>
void fields_of_volume(Volume& volume, Field field) {
  field("totalBytes", volume.total_bytes);
  field("freeBytes", volume.free_bytes);
}

template <class Parameters, class Field>
void fields_of_parameters(Parameters& said, Field field) {
  field("asked", said.asked);
  field("attempt", said.attempt);
  field("words", said.words);
  field("takenBackCount", said.taken_back_count);
}

Json to_json(const MemberReport::Setting& setting) { return {{"name", setting.name}, {"text", setting.text}}; }

MemberReport::Setting parse_setting(const Json& json) { return {text_of(json, "name"), text_of(json, "text")}; }

auto into(Json& json) {
  return [&json](const char* key, const auto& value) { put(json, key, value); };
}

auto from(const Json& json) {
  return [&json](const char* key, auto& value) { take(json, key, value); };
}

Json to_json(const MemberReport::Parameters& said) {
  Json json = {{"outcome", to_string(said.outcome)}, {"notInForce", Json::array()}};
  fields_of_parameters(said, into(json));
  for (const MemberReport::Setting& one : said.not_in_force) json["notInForce"].push_back(to_json(one));
  if (said.taken_back) json["takenBack"] = to_json(*said.taken_back);
  return json;
}

MemberReport::Parameters parse_parameters(const Json& json) {
  MemberReport::Parameters said;
  fields_of_parameters(said, from(json));
  for (const TrialOutcome outcome : {TrialOutcome::kUnderWay, TrialOutcome::kRuns, TrialOutcome::kUndone})
    if (text_of(json, "outcome") == to_string(outcome)) said.outcome = outcome;
  for (const Json& one : member_of(json, "notInForce")) said.not_in_force.push_back(parse_setting(one));
  if (const Json& one = member_of(json, "takenBack"); one.is_object()) said.taken_back = parse_setting(one);
  return said;
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
  for (const Trouble& one : report.troubles)
    json["troubles"].push_back({{"kind", to_string(one.kind)}, {"text", one.text}});
  if (!report.details.is_null()) json["details"] = report.details;
  if (report.progress) fields_of_progress(*report.progress, into(json["progress"]));
  if (report.volume) fields_of_volume(*report.volume, into(json["volume"]));
  if (report.memory) json["memory"] = to_json(*report.memory);
  if (report.parameters) json["parameters"] = to_json(*report.parameters);
  return json;
}

Result<MemberReport> parse_member_report(const Json& json) try {
  if (!json.is_object()) throw std::invalid_argument("expected an object");
  MemberReport report;
  fields_of(report, from(json));
  report.role = parse_role(text_of(json, "role"));
  report.state = parse_member_state(text_of(json, "state")).value_or(MemberState::kUnknown);
  report.details = member_of(json, "details");
  for (const Json& past : member_of(json, "history")) {
    TimelineSwitch& one = report.history.emplace_back();
    one.timeline = read<uint32_t>("history.timeline", member_of(past, "timeline"));
    take(past, "end", one.end);
  }
  for (const Json& one : member_of(json, "troubles"))
    // Of a kind that this program doesn't know yet: a newer agent's.
    if (const auto kind = parse_trouble_kind(text_of(one, "kind")))
      report.troubles.push_back({*kind, text_of(one, "text")});
  for (const auto& [name, one] : member_of(json, "downstreams").items()) {
    if (!one.is_object()) refuse(("downstreams." + name).c_str(), one, "an object");
    fields_of_downstream(report.downstreams[name], from(one));
  }
  if (const Json& progress = member_of(json, "progress"); progress.is_object())
    fields_of_progress(report.progress.emplace(), from(progress));
  if (const Json& volume = member_of(json, "volume"); volume.is_object())
    fields_of_volume(report.volume.emplace(MemberReport::Volume{}), from(volume));
  if (const Json& memory = member_of(json, "memory"); memory.is_object()) {
    // One that says more than this program knows of is as one that can't be read.
    const bool understood = parse_data_part(text_of(memory, "dataPart")) || text_of(memory, "dataPart").empty();
    auto known = understood ? parse_member_memory(memory) : Result<MemberMemory>();
    if (!known) return std::unexpected(known.error());
    if (understood) report.memory = *known;
  }
  if (const Json& said = member_of(json, "parameters"); said.is_object()) report.parameters = parse_parameters(said);
  return report;
} catch (const std::exception& wrong) {
  return fail(Code::kInvalid, fmt::format("member report: {}", wrong.what()));
}

}  // namespace twinspan
