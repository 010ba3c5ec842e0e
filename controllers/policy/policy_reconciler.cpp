#include "controllers/policy/policy_reconciler.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/conditions.hpp"
#include "contract/assignment.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/policy/accepted_policy.hpp"
#include "controllers/policy/failover_writes.hpp"
#include "core/log.hpp"

namespace twinspan::controllers {
namespace {

constexpr std::chrono::milliseconds kAfterRefusal{1000}, kSoon{10};

}  // namespace

PolicyReconciler::PolicyReconciler(kube::Client& client, const Clock& clock, Cluster& cluster, FailoverCaches& caches,
                                   WorkerReports& reports, kube::EventRecorder& events, const PrimaryMovers& movers)
    : client_(client),
      clock_(clock),
      cluster_(cluster),
      caches_(caches),
      reports_(reports),
      events_(events),
      movers_(movers),
      routes_(client, caches, clock) {}

bool PolicyReconciler::is_news(const kube::Key& link, const std::optional<Seen>& before, const Seen& after) const {
  if (!before || before->failures != after.failures || before->report.has_value() != after.report.has_value())
    return true;
  if (!after.report) return false;
  const auto engine = cluster_.engine_of(link);
  const PrimaryMover* mover = engine ? movers_.find(*engine) : nullptr;
  return mover && mover->is_news(*before->report, *after.report);
}

void PolicyReconciler::forget(const kube::Key& link) {
  cluster_.holdups.set(link, std::nullopt);
  movers_.for_each([&](PrimaryMover& mover) { mover.forget(link); });
  MutexLock lock(mutex_);
  words_at_.erase(link);
}

Result<kube::Requeue> PolicyReconciler::reconcile(const kube::Key& key, const std::stop_token& stop) {
  auto done = look_after(key, stop);
  // The link, or its policy, is gone: that is news of its own, and nothing to be tried again until it comes. It never
  // does where the definitions went as well.
  if (!done && done.error().code == Code::kNotFound) return kube::Requeue::none();
  return done;
}

Result<kube::Requeue> PolicyReconciler::look_after(const kube::Key& key, const std::stop_token& stop) {
  const auto link = cluster_.links.find(key);
  const auto policies = caches_.policies_of(key);
  if (!link || link->metadata.deleting()) forget(key);
  if (!link) {
    for (const auto& orphan : policies)
      if (auto said = refuse(*orphan, api::to_string(api::validate(*orphan, nullptr, {})), stop); !said)
        return std::unexpected(said.error());
    return kube::Requeue::none();
  }
  // What nobody has accepted is carried out by nobody: the link controller says what it must.
  if (link->metadata.deleting()) return kube::Requeue::none();
  if (!link->status.accepted || !link->actionable) {
    for (const auto& policy : policies)
      if (auto said = nothing_known(*policy, *link, stop); !said) return std::unexpected(said.error());
    return kube::Requeue::none();
  }
  const auto chosen = choose(*link, policies, stop);
  if (!chosen) return std::unexpected(chosen.error());
  PrimaryMover* mover = movers_.find(link->spec.engine);
  if (!mover) return kube::Requeue::none();  // the link's own conditions say so
  auto move = look(*mover, link, *chosen, stop);
  if (move) return carry_out(*link, *chosen, *mover, std::move(*move), stop);
  if (move.error().code == Code::kInvalid)
    cluster_.holdups.set(key, Holdup{"StatusUnreadable", move.error().message, true});
  return std::unexpected(move.error());
}

Result<Move> PolicyReconciler::look(PrimaryMover& mover, const std::shared_ptr<const CachedLink>& link,
                                    const Chosen& chosen, const std::stop_token& stop) {
  auto assignment = assignment_of(link->status);
  if (!assignment) return std::unexpected(assignment.error());
  MoveFacts facts{link, chosen.policy, std::move(*assignment), {}};
  if (chosen.policy) {
    facts.foreign = routes_.foreign(*chosen.policy);
    facts.refused = routes_.refused(*chosen.policy);
  }
  return mover.look(facts, stop);
}

// What a policy was before goes on, where that was accepted; else the link goes on as if it had none.
Result<PolicyReconciler::Chosen> PolicyReconciler::choose(const CachedLink& link, const std::vector<Policy>& policies,
                                                          const std::stop_token& stop) {
  Chosen chosen;
  for (const Policy& candidate : policies) {
    const auto errors = errors_of(*candidate, link);
    if (errors.empty() && !chosen.policy) {
      chosen.policy = candidate;
      continue;
    }
    auto before = chosen.policy ? nullptr : accepted_policy(*candidate, link, caches_.rivals_of(*candidate));
    if (before) {
      chosen = {std::move(before), refusal_of(*candidate, errors)};
      continue;
    }
    const std::string why = errors.empty() ? fmt::format("spec.linkRef.name: \"{}\" has the policy {} already",
                                                         link.metadata.name, chosen.policy->metadata.name)
                                           : api::to_string(errors);
    if (auto said = refuse(*candidate, why, stop); !said) return std::unexpected(said.error());
  }
  return chosen;
}

std::vector<api::FieldError> PolicyReconciler::errors_of(const api::FailoverPolicy& policy,
                                                         const CachedLink& link) const {
  // The other policies are looked at once for each version of the spec, and again as long as there is something wrong.
  const bool known = policy.status.observed_generation == policy.metadata.generation &&
                     !api::find_condition(policy.status.conditions, "Stalled");
  return api::validate(policy, &link, known ? std::vector<api::FailoverPolicy>() : caches_.rivals_of(policy));
}

Result<kube::Requeue> PolicyReconciler::carry_out(const CachedLink& link, const Chosen& chosen, PrimaryMover& mover,
                                                  Move move, const std::stop_token& stop) {
  const kube::Key key = key_of(link.metadata);
  cluster_.holdups.set(key, move.holdup);
  reports_.set_changing(key, move.changing);
  if (move.told)
    log::info("primary decided", {{"link", key.name},
                                  {"namespace", key.ns},
                                  {"plan", move.told->plan},
                                  {"reason", move.told->reason},
                                  {"epoch", move.told->epoch}});
  if (auto saved = write_status(chosen, mover, move, stop); !saved) return std::unexpected(saved.error());
  if (move.assignment) {
    if (auto saved = write_assignment(client_, cluster_, link, *move.assignment, stop); !saved)
      return std::unexpected(saved.error());
  } else if (move.rehearsal) {
    if (auto saved = write_rehearsal(client_, cluster_, link, *move.rehearsal, stop); !saved)
      return std::unexpected(saved.error());
  }
  // A Service that is refused, by whatever rule of its namespace, keeps no other from following the primary.
  std::optional<Error> failed;
  const auto note = [&failed](const Status& done) {
    if (!done && !failed) failed = done.error();
  };
  for (const Route& route : move.routes) note(routes_.write(*chosen.policy, route, stop));
  // What is wanted as it is by now was given up: the status says so at once. While a primary moves nothing is: what has
  // turned is not written at each look.
  if (chosen.policy && !move.changing && routes_.forget_all_but(*chosen.policy, move.routes))
    move.next.delay = std::min(move.next.delay.value_or(kSoon), kSoon);
  for (const PodLabel& label : move.labels) note(put_label(label, stop));
  if (move.ask_workers) reports_.refresh(key);
  if (!failed) return move.next;
  if (move.next.delay) move.next.delay = std::max(*move.next.delay, kAfterRefusal);
  move.next.failed = std::move(failed);
  return move.next;
}

Status PolicyReconciler::write_status(const Chosen& chosen, const PrimaryMover& mover, Move& move,
                                      const std::stop_token& stop) {
  if (!chosen.policy) return {};
  const api::FailoverPolicy& policy = *chosen.policy;
  note_refused(policy, routes_.refused(policy), clock_.wall_now(), move.status);
  judge_newest(policy, chosen.refused, clock_.wall_now(), move.status);
  if (move.status == policy.status) return {};
  {
    MutexLock lock(mutex_);
    BootTime& words_at = words_at_[{policy.metadata.ns, policy.spec.link_ref.name}];
    const BootTime now = clock_.boot_now();
    if (differ_in_words_only(policy.status, move.status) && now - words_at < move.words_wait) return {};
    words_at = now;
  }
  if (auto saved = write_policy_status(client_, cluster_, policy, move.status, stop); !saved) return saved;
  for (const Told& told : mover.events(policy.status, move.status))
    told.warning ? events_.warning(reference_to(policy), told.reason, told.message)
                 : events_.normal(reference_to(policy), told.reason, told.message);
  return {};
}

Status PolicyReconciler::put_label(const PodLabel& wanted, const std::stop_token& stop) {
  const Json patch = {{"metadata", {{"uid", wanted.uid}, {"labels", {{wanted.label, wanted.value}}}}}};
  const auto written = client_.merge_patch(kube::kPods, wanted.pod, patch, kube::Subresource::kNone, stop);
  if (!written && written.error().code == Code::kNotFound) return {};
  if (!written) return std::unexpected(written.error());
  cluster_.wrote(kube::kPods, *written);
  return {};
}

// A link that nobody carries out is not failed over either, and no condition may say that it would be.
Status PolicyReconciler::nothing_known(const api::FailoverPolicy& policy, const CachedLink& link,
                                       const std::stop_token& stop) {
  if (!link.invalid) return {};  // about to be accepted
  api::PolicyStatus status = policy.status;
  for (const char* type : {"Ready", "PrimaryHealthy", "FailoverPossible"}) {
    api::Condition wanted;
    wanted.type = type;
    wanted.status = std::string_view(type) == "Ready" ? api::ConditionStatus::kFalse : api::ConditionStatus::kUnknown;
    wanted.reason = "LinkNotAccepted";
    wanted.message = fmt::format("nothing of link {} was accepted so far: {}; correct it", link.metadata.name,
                                 link.invalid->message);
    api::set_condition(status.conditions, wanted, policy.metadata.generation, clock_.wall_now());
  }
  if (status == policy.status) return {};
  return write_policy_status(client_, cluster_, policy, status, stop);
}

Status PolicyReconciler::refuse(const api::FailoverPolicy& policy, const std::string& message,
                                const std::stop_token& stop) {
  api::PolicyStatus status = policy.status;
  const WallTime now = clock_.wall_now();
  status.observed_generation = policy.metadata.generation;
  const auto set = [&](const char* type, api::ConditionStatus value) {
    api::Condition wanted;
    wanted.type = type;
    wanted.status = value;
    wanted.reason = "InvalidSpec";
    wanted.message = message;
    api::set_condition(status.conditions, wanted, policy.metadata.generation, now);
  };
  set("Ready", api::ConditionStatus::kFalse);
  set("Stalled", api::ConditionStatus::kTrue);
  if (status == policy.status) return {};
  events_.warning(reference_to(policy), "InvalidSpec", message);
  return write_policy_status(client_, cluster_, policy, status, stop);
}

}  // namespace twinspan::controllers
