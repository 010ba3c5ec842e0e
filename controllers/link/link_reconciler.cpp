#include "controllers/link/link_reconciler.hpp"

#include "controllers/cluster/names.hpp"
#include "controllers/link/link_gatherer.hpp"
#include "core/log.hpp"

namespace twinspan::controllers {

LinkReconciler::LinkReconciler(kube::Client& client, Cluster& cluster, WorkerReports& reports,
                               kube::EventRecorder& events, const Clock& clock, const LinkEngines& engines,
                               size_t links_rolling_most)
    : cluster_(cluster),
      reports_(reports),
      events_(events),
      clock_(clock),
      engines_(engines),
      refused_(clock),
      effects_(client, cluster, events, clock),
      writer_(client, cluster, clock),
      rolls_(links_rolling_most) {}

LinkReconciler::News LinkReconciler::news(const kube::Key& link, const std::optional<Seen>& before,
                                          const Seen& after) const {
  if (!before || !before->report != !after.report) return News::kNow;
  const auto when = [](bool now) { return now ? News::kNow : News::kNone; };
  // A member that stays silent is looked at again and again, until its report is too old to be trusted, and then no
  // more.
  if (after.failures > 0) return when(before->failures == 0 || before->error != after.error || after.failures <= 20);
  if (before->failures > 0 || trust_turned(*before, after, MemberView::kTrustedUnasked)) return News::kNow;
  const auto engine = cluster_.engine_of(link);
  const LinkEngine* its = engine ? engines_.find(*engine) : nullptr;
  if (!its || !after.report) return News::kNone;
  if (its->is_news(*before->report, *after.report)) return News::kNow;
  return before->report->received != after.report->received ? News::kInAWhile : News::kNone;
}

Result<kube::Requeue> LinkReconciler::reconcile(const kube::Key& key, const std::stop_token& stop) {
  const auto link = cluster_.links.find(key);
  if (!link) {
    forget(key);
    return kube::Requeue::none();
  }
  rolls_.hear_of(key, cluster_.links.size());
  const LinkEngine* found = engines_.find(link->spec.engine);
  const LinkEngine& engine = found ? *found : refused_;
  if (const auto left = still_edited(*link, engine.patience_with_edits())) return kube::Requeue::after(*left);
  const auto restored = writer_.restore_acceptance(*link, stop);
  if (!restored) return std::unexpected(restored.error());
  if (*restored) return kube::Requeue::after(std::chrono::milliseconds(1));

  LinkLook look = engine.look({link, effects_.recall(*link), rolls_}, cluster_, reports_);
  watch_members(key, look);
  tell_notices(*link, look.notices);
  const auto written = writer_.write(*link, look.status, look.plan, stop);
  if (!written) return std::unexpected(written.error());
  if (written->done) {
    for (const LinkEvent& event : look.events) tell(*link, event);
    tell_of_stalling(events_, *link, look.status);
  }
  const Status done = effects_.carry_out(look.seen, look.plan, stop);
  const bool refused = !done && is_refusal(done.error());
  if (!done && !refused) return std::unexpected(done.error());
  // The status tells of the refusals before this.
  if (effects_.refused_volumes(key) != look.seen.refused_volumes || (!refused && !look.seen.refused.empty()))
    return kube::Requeue::after(std::chrono::milliseconds(1));
  kube::Requeue next = next_look(look.plan, *written);
  // It is tried again; a trial that runs out meanwhile is seen all the same.
  if (refused) next.failed = done.error();
  return next;
}

void LinkReconciler::watch_members(const kube::Key& key, const LinkLook& look) {
  std::shared_ptr<const net::ClientTls> tls;
  for (const LinkMember& member : look.members) {
    if (!member.contact) {
      reports_.forget(key, member.name);
      continue;
    }
    if (!tls && look.seen.ca) tls = access_.of(key, *look.seen.ca, look.seen.now);
    const auto& [ip, certificate_name, pod_uid] = *member.contact;
    if (tls) reports_.watch(key, member.name, {ip, certificate_name, pod_uid, tls});
  }
}

void LinkReconciler::tell(const CachedLink& link, const LinkEvent& event) {
  event.warning ? events_.warning(reference_to(link), event.reason, event.message)
                : events_.normal(reference_to(link), event.reason, event.message);
}

void LinkReconciler::tell_notices(const CachedLink& link, const std::vector<LinkNotice>& notices) {
  for (const LinkNotice& notice : notices) {
    {
      MutexLock lock(told_mutex_);
      std::string& told = told_[key_of(link.metadata)][notice.about];
      if (std::exchange(told, notice.version) == notice.version) continue;
    }
    tell(link, notice.event);
  }
}

// Edits often follow one another. For a moment after the first one the link is left alone: they are tried together, and
// no status is written under the hands of who edits by `kubectl replace` (a conflict there). How long still.
std::optional<std::chrono::milliseconds> LinkReconciler::still_edited(const CachedLink& link,
                                                                      std::chrono::milliseconds patience) {
  MutexLock lock(told_mutex_);
  const kube::Key key = key_of(link.metadata);
  if (patience.count() == 0 || link.metadata.deleting() || !link.status.accepted ||
      link.status.observed_generation == link.metadata.generation) {
    edited_at_.erase(key);
    return std::nullopt;
  }
  const BootTime now = clock_.boot_now();
  const BootTime since = edited_at_.try_emplace(key, now).first->second;
  if (now - since >= patience) return std::nullopt;
  return std::chrono::ceil<std::chrono::milliseconds>(patience - (now - since));
}

void LinkReconciler::forget(const kube::Key& key) {
  {
    MutexLock lock(told_mutex_);
    told_.erase(key);
    edited_at_.erase(key);
  }
  reports_.forget(key);
  effects_.forget(key);
  access_.forget(key);
  writer_.forget(key);
  rolls_.forget(key);
}

}  // namespace twinspan::controllers
