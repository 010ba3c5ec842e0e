#include "sandbox/runtime/status.hpp"

#include <fmt/format.h>

namespace twinspan::sandbox {
namespace {

using Phase = ContainerRecord::Phase;

Json terminated(const std::string& id, WallTime started_at, const Exit& exit) {
  Json out{{"exitCode", exit.code},
           {"reason", !exit.start_error.empty() ? "StartError"
                      : exit.code == 0          ? "Completed"
                                                : "Error"},
           {"startedAt", to_rfc3339(started_at)},
           {"finishedAt", to_rfc3339(exit.at)},
           {"containerID", id}};
  if (exit.signal != 0) out["signal"] = exit.signal;
  if (!exit.start_error.empty())
    out["message"] = exit.start_error;
  else if (!exit.message.empty())
    out["message"] = exit.message;
  return out;
}

Json container_status(const ContainerRecord& record) {
  Json state;
  switch (record.phase) {
    case Phase::kWaiting:
      state["waiting"] = {{"reason", record.reason}};
      if (!record.message.empty()) state["waiting"]["message"] = record.message;
      break;
    case Phase::kRunning: state["running"] = {{"startedAt", to_rfc3339(record.started_at)}}; break;
    case Phase::kTerminated: state["terminated"] = terminated(record.id, record.started_at, record.exit); break;
  }
  Json out{{"name", record.name},   {"image", record.image},      {"imageID", record.image},
           {"ready", record.ready}, {"started", record.started},  {"restartCount", record.restarts},
           {"state", state},        {"lastState", Json::object()}};
  if (!record.id.empty()) out["containerID"] = record.id;
  if (record.last)
    out["lastState"]["terminated"] = terminated(record.last->id, record.last->started_at, record.last->exit);
  return out;
}

bool all_over(const std::vector<ContainerRecord>& records) {
  return std::ranges::all_of(records, [](const ContainerRecord& record) { return record.over; });
}
bool succeeded(const ContainerRecord& record) {
  return record.over && record.exit.code == 0 && record.exit.start_error.empty();
}

std::string phase_of(const PodRecord& record) {
  const bool init_failed =
      std::ranges::any_of(record.init_containers, [](const auto& init) { return init.over && !succeeded(init); });
  if (init_failed) return "Failed";
  if (!std::ranges::all_of(record.init_containers, succeeded)) return "Pending";
  if (!record.containers.empty() && all_over(record.containers))
    return std::ranges::all_of(record.containers, succeeded) ? "Succeeded" : "Failed";
  const bool begun = std::ranges::any_of(record.containers, [](const ContainerRecord& one) { return !one.id.empty(); });
  return begun ? "Running" : "Pending";
}

struct Wanted {
  std::string type;
  bool holds;
  std::string reason, message;
};

Json conditions_of(const Json& before, const std::vector<Wanted>& wanted, WallTime now) {
  Json out = Json::array();
  for (const Wanted& one : wanted) {
    Json condition{{"type", one.type},
                   {"status", one.holds ? "True" : "False"},
                   {"lastProbeTime", nullptr},
                   {"lastTransitionTime", to_rfc3339(now)}};
    if (!one.reason.empty()) condition["reason"] = one.reason;
    if (!one.message.empty()) condition["message"] = one.message;
    for (const Json& old : before)
      if (old.value("type", "") == one.type && old.value("status", "") == condition["status"] &&
          old.contains("lastTransitionTime"))
        condition["lastTransitionTime"] = old["lastTransitionTime"];
    out.push_back(std::move(condition));
  }
  for (const Json& old : before)
    if (std::ranges::none_of(wanted, [&](const Wanted& one) { return one.type == old.value("type", ""); }))
      out.push_back(old);
  return out;
}

}  // namespace

Json pod_status(const Json& pod, const PodRecord& record, WallTime now) {
  const Json before = pod.value("status", Json::object());
  const std::string phase = phase_of(record);
  const bool over = phase == "Succeeded" || phase == "Failed";
  std::string unready;
  for (const ContainerRecord& one : record.containers)
    if (!one.ready) unready += (unready.empty() ? "" : " ") + one.name;
  const bool ready = unready.empty() && !over;
  const std::string reason = ready ? "" : over ? "PodCompleted" : "ContainersNotReady";
  const std::string message = ready || over ? "" : fmt::format("containers with unready status: [{}]", unready);
  const bool initialized = std::ranges::all_of(record.init_containers, succeeded);

  Json out{
      {"phase", phase},
      {"hostIP", record.place.host_ip},
      {"hostIPs", Json::array({{{"ip", record.place.host_ip}}})},
      {"podIP", record.place.pod_ip},
      {"podIPs", Json::array({{{"ip", record.place.pod_ip}}})},
      {"qosClass", before.value("qosClass", "BestEffort")},
      {"startTime", to_rfc3339(record.started_at)},
      {"conditions", conditions_of(before.value("conditions", Json::array()),
                                   {{"PodScheduled", true, "", ""},
                                    {"Initialized", initialized, initialized ? "" : "ContainersNotInitialized", ""},
                                    {"ContainersReady", ready, reason, message},
                                    {"Ready", ready, reason, message}},
                                   now)},
      {"containerStatuses", Json::array()}};
  for (const ContainerRecord& one : record.containers) out["containerStatuses"].push_back(container_status(one));
  if (!record.init_containers.empty()) {
    out["initContainerStatuses"] = Json::array();
    for (const ContainerRecord& one : record.init_containers)
      out["initContainerStatuses"].push_back(container_status(one));
  }
  return out;
}

std::chrono::milliseconds restart_delay(int restarts, std::chrono::milliseconds base, std::chrono::milliseconds limit) {
  if (restarts <= 0) return std::chrono::milliseconds(0);
  return std::min(limit, base * (int64_t{1} << std::min(restarts - 1, 20)));
}

}  // namespace twinspan::sandbox
