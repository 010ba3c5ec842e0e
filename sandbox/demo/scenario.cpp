#include "sandbox/demo/scenario.hpp"

#include <fmt/format.h>

#include <csignal>

#include "core/base64.hpp"
#include "core/wait.hpp"

namespace twinspan::sandbox {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kOutagePatience{60000}, kHistoryPatience{60000};

Json status_of(const Json& object) { return object.value("status", Json::object()); }

std::string decoded(const Json& secret, const char* field) {
  return base64_decode(text_of(secret.value("data", Json::object()), field)).value_or("");
}

milliseconds since(BootTime begin, BootTime end) { return std::chrono::duration_cast<milliseconds>(end - begin); }

}  // namespace

Result<Json> Scenario::link() { return cluster_.client().get(kube::kReplicationLinks, link_, stop_); }

Result<Json> Scenario::policy() {
  std::optional<Json> found;
  auto listed = cluster_.client().list(kube::kFailoverPolicies, link_.ns, {}, [&](Json&& policy) {
    if (policy.at("spec").at("linkRef").value("name", "") == link_.name) found = std::move(policy);
  });
  if (!listed) return std::unexpected(listed.error());
  if (!found) return fail(Code::kNotFound, fmt::format("link {} has no FailoverPolicy", link_.str()));
  return *found;
}

std::string Scenario::primary() {
  const auto now = link();
  return now ? text_of(status_of(*now), "primary") : "";
}

std::string Scenario::what_is_missing() {
  if (!cluster_.operator_runs()) return "the operator has ended, see its log";
  const auto now = link();
  if (!now) return now.error().message;
  const Json status = status_of(*now);
  const size_t wanted = now->at("spec").value("targets", Json::array()).size();
  const std::string primary_name = text_of(status, "primary");
  std::string story;
  size_t running = 0, streaming = 0;
  for (const Json& endpoint : status.value("endpoints", Json::array())) {
    const std::string role = text_of(endpoint, "role"), state = text_of(endpoint, "state"),
                      name = text_of(endpoint, "name");
    if (name == primary_name && role == "Primary" && state == "Running") running += 1;
    if (name != primary_name && role == "Replica" && state == "Streaming") streaming += 1;
    const std::string percent =
        endpoint.contains("progressPercent") ? fmt::format(" {}%", endpoint["progressPercent"].dump()) : "";
    story += fmt::format("{}{} {}{}", story.empty() ? "" : ", ", name, state, percent);
  }
  std::string ready;
  for (const Json& condition : status.value("conditions", Json::array()))
    if (text_of(condition, "type") == "Ready" && text_of(condition, "status") != "True")
      ready = text_of(condition, "message");
  if (running == 1 && streaming == wanted) {
    if (status.value("observedGeneration", 0) != now->at("metadata").value("generation", 0))
      return "the operator has not seen the newest spec yet";
    if (!ready.empty()) return "Ready is False: " + ready;
    const auto its_policy = policy();
    if (its_policy && status_of(*its_policy).contains("current")) return "a failover is under way";
    return "";
  }
  if (story.empty()) return ready.empty() ? "no status yet" : ready;
  return story;
}

Status Scenario::wait_streaming(milliseconds patience, const std::string& what) {
  return progress_.wait(
      what, patience, [this] { return what_is_missing(); }, stop_);
}

Result<WriterTarget> Scenario::writer_target(milliseconds patience) {
  WriterTarget target;
  const auto missing = [&]() -> std::string {
    const auto its_policy = policy();
    const auto now = link();
    if (!its_policy || !now) return "link or policy";
    for (const Json& service : its_policy->at("spec").value("services", Json::array())) {
      if (text_of(service, "selects") != "Primary") continue;
      const auto object = cluster_.client().get(kube::kServices, {link_.ns, text_of(service, "name")});
      if (!object) return fmt::format("Service {}", text_of(service, "name"));
      target.host = text_of(object->at("spec"), "clusterIP");
    }
    if (target.host.empty()) return "a Service for the primary";
    const Json postgres = now->at("spec").value("postgres", Json::object());
    target.database = postgres.value("database", "app");
    const std::string owner = postgres.value("ownerSecretRef", Json::object()).value("name", link_.name + "-owner");
    const auto secret = cluster_.client().get(kube::kSecrets, {link_.ns, owner});
    if (!secret) return fmt::format("Secret {}", owner);
    target.user = decoded(*secret, "username");
    target.password = decoded(*secret, "password");
    return "";
  };
  if (auto found = progress_.wait("address and password of the Service", patience, missing, stop_); !found)
    return std::unexpected(found.error());
  return target;
}

Result<FailoverFigures> Scenario::fail_over(Writer& writer, const WriterTarget& target) {
  FailoverFigures figures;
  figures.from = primary();
  const auto victim = cluster_.postmaster(pod(figures.from));
  if (!victim) return std::unexpected(victim.error());
  const uint64_t session = writer.figures().sessions;
  progress_.begin(fmt::format("kill -9 of {}'s postmaster (pid {}), until the client's next acknowledged write",
                              figures.from, *victim));
  SystemClock clock;
  const BootTime killed = clock.boot_now();
  killed_at_ = std::chrono::steady_clock::now();
  if (::kill(*victim, SIGKILL) != 0) return fail(Code::kInternal, fmt::format("kill {}: no such process", *victim));
  const auto resumed = writer.wait_for_session_after(session, kOutagePatience, stop_);
  if (!resumed) {
    progress_.failed(resumed.error().message);
    return std::unexpected(resumed.error());
  }
  figures.outage = since(killed, resumed->session_first_at);
  progress_.done(fmt::format("{} ms", figures.outage.count()));

  if (auto moved = progress_.wait(
          "link's status names the new primary", kHistoryPatience,
          [&] {
            return figures.to = primary(),
                   figures.to.empty() || figures.to == figures.from ? "still " + figures.to : "";
          },
          stop_);
      !moved)
    return std::unexpected(moved.error());
  progress_.begin(fmt::format("compare every acknowledged write with what {} has", figures.to));
  const std::vector<int64_t> acknowledged = writer.acknowledged();
  const auto missing = missing_writes(target, acknowledged);
  if (!missing) {
    progress_.failed(missing.error().message);
    return std::unexpected(missing.error());
  }
  figures.acknowledged = acknowledged.size();
  figures.lost = missing->size();
  progress_.done(fmt::format("{} acknowledged, {} lost", figures.acknowledged, figures.lost));
  return figures;
}

Status Scenario::wait_history(const std::string& to, Json& record) {
  return progress_.wait(
      "the policy's history tells of it", kHistoryPatience,
      [&]() -> std::string {
        const auto its_policy = policy();
        if (!its_policy) return its_policy.error().message;
        const Json history = status_of(*its_policy).value("history", Json::array());
        if (history.empty() || text_of(history[0], "to") != to) return "not yet";
        record = history[0];
        return "";
      },
      stop_);
}

Status Scenario::wait_rejoined(FailoverFigures& figures, milliseconds patience) {
  if (auto streams = wait_streaming(patience, fmt::format("{} comes back as a replica", figures.from)); !streams)
    return streams;
  figures.rejoin = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - killed_at_);
  if (auto recorded = wait_history(figures.to, figures.history); !recorded) return recorded;
  if (figures.history.contains("recoveryMilliseconds"))
    figures.recorded_milliseconds = figures.history["recoveryMilliseconds"].get<int64_t>();
  if (figures.history.contains("lostBytes")) figures.lost_bytes = figures.history["lostBytes"].get<int64_t>();
  return {};
}

Result<SwitchoverFigures> Scenario::switch_over(Writer& writer, const WriterTarget& target, const std::string& to) {
  SwitchoverFigures figures;
  figures.from = primary();
  figures.to = to;
  const auto its_policy = policy();
  if (!its_policy) return std::unexpected(its_policy.error());
  const uint64_t session = writer.figures().sessions;
  writer.reset_gap();
  progress_.begin(fmt::format("switchover from {} to {} under load", figures.from, to));
  const kube::Key key{link_.ns, its_policy->at("metadata").at("name").get<std::string>()};
  auto asked = cluster_.client().merge_patch(kube::kFailoverPolicies, key, {{"spec", {{"desiredPrimary", to}}}});
  if (!asked) return std::unexpected(asked.error());
  const auto resumed = writer.wait_for_session_after(session, kOutagePatience, stop_);
  if (!resumed) {
    progress_.failed(resumed.error().message);
    return std::unexpected(resumed.error());
  }
  figures.pause = std::chrono::duration_cast<milliseconds>(resumed->longest_gap);
  progress_.done(fmt::format("writes paused for {} ms", figures.pause.count()));
  if (auto recorded = wait_history(to, figures.history); !recorded) return std::unexpected(recorded.error());
  const std::vector<int64_t> acknowledged = writer.acknowledged();
  const auto missing = missing_writes(target, acknowledged);
  if (!missing) return std::unexpected(missing.error());
  figures.acknowledged = acknowledged.size();
  figures.lost = missing->size();
  return figures;
}

std::string render_timeline(const Json& record) {
  const auto detected = parse_rfc3339(text_of(record, "detectedAt"));
  std::string out =
      fmt::format("  epoch {}: {} -> {}, {}, {}", record.value("epoch", Json(0)).dump(), text_of(record, "from"),
                  text_of(record, "to"), text_of(record, "reason"), text_of(record, "outcome"));
  if (record.contains("lostBytes")) out += fmt::format(", {} bytes lost", record["lostBytes"].dump());
  out += "\n";
  for (const auto& [field, what] : {std::pair{"detectedAt", "detected"},
                                    {"confirmedAt", "confirmed"},
                                    {"fencedAt", "old primary fenced"},
                                    {"electedAt", "candidate elected"},
                                    {"promotedAt", "promoted"},
                                    {"reroutedAt", "Services rerouted"}}) {
    const auto at = parse_rfc3339(text_of(record, field));
    if (!at) continue;
    const auto after = detected ? std::chrono::duration_cast<milliseconds>(*at - *detected).count() : 0;
    out += fmt::format("  {:>7} ms  {:<20} {}\n", fmt::format("+{}", after), what, text_of(record, field));
  }
  return out;
}

}  // namespace twinspan::sandbox
