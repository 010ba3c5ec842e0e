#include "controllers/link/link_reconciler.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/link/link_gatherer.hpp"

namespace twinspan::controllers {
namespace {

// Rounded as the status rounds it, so that noise wakes nobody.
double tenths(const std::optional<double>& seconds) { return seconds ? std::round(*seconds * 10) : -1; }
uint64_t percent(const std::optional<Progress>& progress) {
  return progress && progress->total_bytes ? 100 * progress->done_bytes / progress->total_bytes : 0;
}

// In half seconds, and only where it is more than replicas' once-a-second answers explain.
double unheard(const std::optional<double>& lag_seconds) {
  return lag_seconds.value_or(0) < 1.5 ? 0 : std::floor(*lag_seconds * 2);
}

bool same_downstreams(const MemberReport& a, const MemberReport& b) {
  return std::equal(a.downstreams.begin(), a.downstreams.end(), b.downstreams.begin(), b.downstreams.end(),
                    [](const auto& x, const auto& y) {
                      return x.first == y.first && x.second.state == y.second.state &&
                             x.second.sync_state == y.second.sync_state &&
                             unheard(x.second.lag_seconds) == unheard(y.second.lag_seconds);
                    });
}

bool same_state(const MemberReport& a, const MemberReport& b) {
  return a.instance == b.instance && a.role == b.role && a.state == b.state && a.message == b.message &&
         a.timeline == b.timeline && a.upstream == b.upstream && a.epoch == b.epoch && a.holds_lease == b.holds_lease &&
         a.restart_pending == b.restart_pending && a.generation == b.generation &&
         tenths(a.lag_seconds) == tenths(b.lag_seconds) && percent(a.progress) == percent(b.progress) &&
         same_downstreams(a, b) && a.details == b.details;
}

// What people look for in `kubectl describe`: endpoints that reach a state worth a line.
void tell_of_endpoint(kube::EventRecorder& events, const kube::ObjectRef& link, const std::string& before,
                      const api::EndpointStatus& row) {
  if (before == row.state) return;
  const std::string message =
      fmt::format("{}: {}{}{}", row.name, row.state, row.message ? ", " : "", row.message.value_or(""));
  if (row.state == to_string(MemberState::kDiverged) || row.state == to_string(MemberState::kFailed))
    events.warning(link, "Endpoint" + row.state, message);
  else if (row.state == to_string(MemberState::kCloning) || row.state == to_string(MemberState::kStreaming) ||
           row.state == to_string(MemberState::kRewinding) || row.state == to_string(MemberState::kRunning))
    events.normal(link, "Endpoint" + row.state, message);
}

}  // namespace

LinkReconciler::LinkReconciler(kube::Client& client, Cluster& cluster, WorkerReports& reports,
                               kube::EventRecorder& events, const Clock& clock, LinkReconcilerConfig config)
    : cluster_(cluster),
      reports_(reports),
      events_(events),
      clock_(clock),
      config_(std::move(config)),
      effects_(client, cluster, events, clock),
      writer_(client, cluster, clock) {}

bool LinkReconciler::worth_a_look(const std::optional<Seen>& before, const Seen& after) {
  if (!before || !before->report != !after.report) return true;
  // A member that stays silent is looked at again and again, until its report is too old to be trusted, and then no
  // more.
  if (after.failures > 0) return before->failures == 0 || before->error != after.error || after.failures <= 20;
  return before->failures > 0 || !same_state(*before->report, *after.report);
}

Result<kube::Requeue> LinkReconciler::reconcile(const kube::Key& key, const std::stop_token& stop) {
  const auto link = cluster_.links.find(key);
  if (!link) {
    forget(key);
    return kube::Requeue::none();
  }
  LinkSeen seen = config_.pretend_workers ? pretend_link(link, clock_) : gather_link(link, cluster_, reports_, clock_);
  seen.owner_is_theirs = effects_.owner_is_theirs(key);
  LinkPlan plan;
  const bool hands_off = config_.pretend_workers || (link->invalid && !link->metadata.deleting());
  if (!hands_off) {
    watch_members(key, seen);
    plan = plan_link(seen, config_.render);
  }
  const api::LinkStatus after = next_status(seen, plan);
  const auto written = writer_.write(*link, after, plan, stop);
  if (!written) return std::unexpected(written.error());
  if (written->done && !config_.pretend_workers) tell_of_changes(seen, after);
  if (auto done = effects_.carry_out(seen, plan, stop); !done) return std::unexpected(done.error());
  return next_look(plan, *written);
}

void LinkReconciler::watch_members(const kube::Key& key, const LinkSeen& seen) {
  if (!seen.ca) return;
  std::shared_ptr<const net::ClientTls> tls;
  for (const EndpointSeen& endpoint : seen.endpoints) {
    if (!endpoint.pod || endpoint.pod->ip.empty() || endpoint.pod->finished()) {
      reports_.forget(key, endpoint.name);
      continue;
    }
    if (!tls) tls = access_.of(key, *seen.ca, seen.now);
    if (!tls) return;
    reports_.watch(key, endpoint.name, {endpoint.pod->ip, pod_name(key.name, endpoint.name), endpoint.pod->uid, tls});
  }
}

void LinkReconciler::tell_of_changes(const LinkSeen& seen, const api::LinkStatus& after) {
  const api::LinkStatus& before = seen.link->status;
  const kube::ObjectRef link = reference_to(*seen.link);
  for (const api::EndpointStatus& row : after.endpoints) {
    const auto known = std::find_if(before.endpoints.begin(), before.endpoints.end(),
                                    [&](const api::EndpointStatus& one) { return one.name == row.name; });
    tell_of_endpoint(events_, link, known == before.endpoints.end() ? "" : known->state, row);
  }
  tell_of_stalling(events_, *seen.link, after);
}

void LinkReconciler::forget(const kube::Key& key) {
  reports_.forget(key);
  effects_.forget(key);
  access_.forget(key);
  writer_.forget(key);
}

}  // namespace twinspan::controllers
