#include "controllers/postgres/acceptance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "api/accepted.hpp"
#include "api/managed_defaults.hpp"
#include "api/validate.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/link_status.hpp"

namespace twinspan::controllers {
namespace {

using std::chrono::seconds;

api::Endpoint* endpoint_of(api::LinkSpec& spec, const std::string& name) {
  if (spec.source.name == name) return &spec.source;
  for (api::Endpoint& target : spec.targets)
    if (target.name == name) return &target;
  return nullptr;
}
const api::Endpoint* endpoint_of(const api::LinkSpec& spec, const std::string& name) {
  return endpoint_of(const_cast<api::LinkSpec&>(spec), name);
}

api::ManagedPostgres* managed_of(api::Endpoint* endpoint) {
  return endpoint && endpoint->postgres && endpoint->postgres->managed ? &*endpoint->postgres->managed : nullptr;
}

std::shared_ptr<const api::ReplicationLink> link_with(const CachedLink& link, const api::LinkSpec& spec) {
  auto out = std::make_shared<api::ReplicationLink>();
  out->metadata = link.metadata;
  out->spec = spec;
  return out;
}

// The newest spec without what has to be tried, which stays as it was accepted. Volumes grow without a trial.
api::LinkSpec untried(const api::LinkSpec& accepted, api::LinkSpec newest) {
  const auto restore = [&](api::Endpoint& endpoint) {
    api::Endpoint before = endpoint;
    if (const api::Endpoint* known = endpoint_of(accepted, endpoint.name)) before = *known;
    api::ManagedPostgres *now = managed_of(&endpoint), *then = managed_of(&before);
    if (!now || !then) return;
    then->storage = now->storage;
    *now = *then;
  };
  restore(newest.source);
  for (api::Endpoint& target : newest.targets) restore(target);
  newest.postgres.owner_secret_ref = accepted.postgres.owner_secret_ref;
  newest.image_pull_secrets = accepted.image_pull_secrets;
  return api::without_managed_defaults(std::move(newest));
}

// What of an edit has to be tried, by endpoint.
class Changes {
 public:
  Changes(const CachedLink& link, const api::LinkSpec& newest, const RenderConfig& config) {
    const auto before = link_with(link, link.spec), after = link_with(link, newest);
    const auto compare = [&](const api::Endpoint& now) {
      const api::Endpoint* then = endpoint_of(link.spec, now.name);
      if (!then || !then->postgres || !then->postgres->managed || !now.postgres || !now.postgres->managed) return;
      note_parameters(now.name, then->postgres->managed->parameters, now.postgres->managed->parameters);
      if (pod_hash(*before, *then, config) != pod_hash(*after, now, config))
        pods_[now.name] = pod_hash(*after, now, config);
    };
    compare(newest.source);
    for (const api::Endpoint& target : newest.targets) compare(target);
  }

  bool any() const { return !parameters_.empty() || !pods_.empty(); }
  bool parameters() const { return !parameters_.empty(); }
  bool parameters_of(const std::string& endpoint) const { return parameters_.contains(endpoint); }
  bool pods() const { return !pods_.empty(); }
  const std::string* pod_of(const std::string& endpoint) const {
    const auto found = pods_.find(endpoint);
    return found == pods_.end() ? nullptr : &found->second;
  }
  // "work_mem, the pod's template"
  std::string text() const {
    std::string out;
    for (const std::string& name : names_) out += (out.empty() ? "" : ", ") + name;
    if (pods()) out += (out.empty() ? "" : ", ") + std::string("the pod's template");
    return out;
  }

 private:
  void note_parameters(const std::string& endpoint, const std::map<std::string, std::string>& before,
                       const std::map<std::string, std::string>& after) {
    if (before == after) return;
    parameters_.insert(endpoint);
    for (const auto* one : {&before, &after})
      for (const auto& [name, value] : *one) {
        const auto& other = one == &before ? after : before;
        const auto found = other.find(name);
        if (found == other.end() || found->second != value) names_.insert(name);
      }
  }

  std::set<std::string> parameters_, names_;
  std::map<std::string, std::string> pods_;  // the hash that is wanted
};

bool streams(const MemberReport* report) {
  return report && report->role == Role::kReplica && report->state == MemberState::kStreaming;
}

class Trials {
 public:
  Trials(const LinkSeen& seen, const Changes& changes, const TrialRules& rules)
      : seen_(seen), link_(*seen.link), changes_(changes), rules_(rules), primary_(seen.primary()) {}

  // Nothing runs that a wrong spec could stop.
  bool nothing_at_stake() const {
    if ((!seen_.lease || seen_.lease->record.epoch.value == 0) && !link_.status.assignment) return true;
    return std::none_of(seen_.endpoints.begin(), seen_.endpoints.end(), [](const EndpointSeen& one) {
      return one.member.report || (one.pod && one.pod->phase == "Running");
    });
  }

  // nullopt: it is good, and accepted.
  std::optional<api::TrialStatus> next() const {
    std::optional<api::TrialStatus> trial = link_.status.trial;
    if (!trial || trial->generation != link_.metadata.generation) trial = begin(to_rfc3339(seen_.now));
    if (trial->message) return trial;
    if (!trial->endpoint.empty()) {
      const EndpointSeen* who = seen_.find(trial->endpoint);
      if (who && who->spec && !is_lost(*who, *trial)) {
        if (is_good(*who, *trial)) return std::nullopt;
        trial->message = why_bad(*who, *trial);
        return trial;
      }
      trial = begin(to_rfc3339(seen_.now), trial->endpoint);
    }
    if (!trial->endpoint.empty() || paused()) return trial;
    if (std::string who = pick(waited(*trial)); !who.empty()) {
      trial->endpoint = std::move(who);
      trial->started_at = to_rfc3339(seen_.now);
    }
    return trial;
  }

 private:
  // One that begins. Its time tells it from others, also from one of the same endpoint before.
  api::TrialStatus begin(std::string now, const std::string& not_with = "") const {
    api::TrialStatus trial;
    trial.generation = link_.metadata.generation;
    trial.started_at = std::move(now);
    if (!paused()) trial.endpoint = pick(seconds(0), not_with);
    return trial;
  }

  // Also by the edit at hand, whose pause is accepted in this look.
  bool paused() const { return link_.spec.paused || link_.wanted->paused; }

  seconds waited(const api::TrialStatus& trial) const {
    const auto since = parse_rfc3339(trial.started_at);
    return since ? std::chrono::duration_cast<seconds>(seen_.now - *since) : seconds(0);
  }

  // Who has to lose least by it: a replica that streams proves most; the primary only where nobody else can.
  std::string pick(seconds waited, const std::string& not_with = "") const {
    std::string any_streaming, any_other, any_heard;
    for (const EndpointSeen& one : seen_.endpoints) {
      if (!one.spec || one.name == primary_ || one.name == not_with) continue;
      const MemberReport* report = one.pod && !one.pod->terminating ? one.member.fresh() : nullptr;
      const bool changed = changes_.pods() ? changes_.pod_of(one.name) != nullptr : changes_.parameters_of(one.name);
      if (changed && streams(report)) return one.name;
      if (streams(report) && any_streaming.empty()) any_streaming = one.name;
      if (changed && one.pod && any_other.empty()) any_other = one.name;
      if (report && any_heard.empty()) any_heard = one.name;
    }
    const bool primary_only = changes_.pods() && any_other.empty();
    if (primary_only) return changes_.pod_of(primary_) ? primary_ : "";
    if (changes_.pods()) return any_other;
    if (!any_streaming.empty()) return any_streaming;
    if (waited < rules_.wait) return "";
    return primary_.empty() ? any_heard : primary_;
  }

  // A pod that is replaced is not heard for a while; then only time tells.
  bool is_lost(const EndpointSeen& who, const api::TrialStatus& trial) const {
    return !changes_.pod_of(who.name) && !who.member.fresh() && waited(trial) >= rules_.lost;
  }

  bool is_good(const EndpointSeen& who, const api::TrialStatus& trial) const {
    const MemberReport* report = who.member.fresh();
    if (!report || !who.pod || who.pod->terminating) return false;  // what a pod that stops still says is past
    if (const std::string* hash = changes_.pod_of(who.name))
      if (who.pod->hash != *hash) return false;
    // An image that clones has shown what it can; settings are shown by a database that runs.
    const bool runs = who.name == primary_ ? report->state == MemberState::kRunning
                                           : streams(report) || report->state == MemberState::kCatchingUp ||
                                                 (report->state == MemberState::kCloning && !changes_.parameters());
    if (!runs) return false;
    // An agent that says nothing of settings is an older one, which does as the spec says at once.
    return !changes_.parameters() || !report->parameters ||
           (report->parameters->attempt == api::attempt_of(trial) &&
            report->parameters->outcome == TrialOutcome::kRuns);
  }

  std::optional<std::string> why_bad(const EndpointSeen& who, const api::TrialStatus& trial) const {
    const MemberReport* report = who.member.fresh();
    const auto said = [&](const std::string& words) {
      return fmt::format("{} tried generation {} ({}) and went back: {}", who.name, trial.generation, changes_.text(),
                         words);
    };
    if (report && report->parameters && report->parameters->attempt == api::attempt_of(trial) &&
        report->parameters->outcome == TrialOutcome::kUndone)
      return said(report->parameters->words);
    if ((report && report->state == MemberState::kCloning) || waited(trial) < patience(who)) return std::nullopt;
    std::string words = fmt::format("it was not back within {} s", patience(who).count());
    if (commits_wait_for(who)) words += ", and commits wait for it";
    if (!report) words += "; " + why_unheard(who, pod_name(link_.metadata.name, who.name));
    if (report)
      words +=
          fmt::format("; it is {}{}{}", to_string(report->state), report->message.empty() ? "" : ", ", report->message);
    if (report && report->parameters)
      for (const MemberReport::Setting& one : report->parameters->not_in_force)
        words += fmt::format("; {}{}{}", one.name, one.name.empty() ? "" : ": ", one.text);
    return said(words);
  }

  // No other replica could confirm what a primary in Sync commits.
  bool commits_wait_for(const EndpointSeen& who) const {
    const auto& durability = link_.spec.postgres.durability;
    if (durability.mode != api::DurabilityMode::kSync) return false;
    return durability.replicas > std::count_if(seen_.endpoints.begin(), seen_.endpoints.end(), [&](const auto& one) {
             return one.name != who.name && streams(one.member.fresh());
           });
  }

  // A pod that Kubernetes says does not run may yet (a new node, a registry that is back), but service does not wait
  // for that.
  seconds patience(const EndpointSeen& who) const {
    const bool troubled = who.pod ? !who.pod->terminating && !who.pod->trouble.empty() : !who.refused.empty();
    const bool stuck = troubled && !who.member.fresh();
    return stuck && commits_wait_for(who) ? std::min(rules_.blocked, rules_.patience) : rules_.patience;
  }

  const LinkSeen& seen_;
  const CachedLink& link_;
  const Changes& changes_;
  const TrialRules& rules_;
  const std::string primary_;
};

}  // namespace

Acceptance next_acceptance(const LinkSeen& seen, const RenderConfig& config) {
  const CachedLink& link = *seen.link;
  const Acceptance at_once{next_accepted(link), std::nullopt};
  // Its generation stays that of the last spec that was accepted as a whole.
  if (!link.status.accepted || !link.wanted) return at_once;
  const Changes changes(link, *link.wanted, config);
  const Trials trials(seen, changes, config.trial);
  if (!changes.any() || trials.nothing_at_stake()) return at_once;
  auto trial = trials.next();
  if (!trial) return at_once;
  api::LinkSpec part = untried(link.spec, *link.wanted);
  // Half of an edit that is right as a whole may be wrong.
  if (!api::validate(*link_with(link, part)).empty()) part = link.spec;
  Acceptance out{link.status.accepted, std::move(trial)};
  if (part != link.spec) out.accepted = api::accept(part, link.status.accepted->generation);
  return out;
}

std::string trying_endpoint(const CachedLink& link) {
  const auto& trial = link.status.trial;
  if (!link.wanted || !trial || trial->message || trial->generation != link.metadata.generation) return "";
  return trial->endpoint;
}

PodSource pod_source(const LinkSeen& seen, const EndpointSeen& endpoint) {
  if (trying_endpoint(*seen.link) != endpoint.name || endpoint.name.empty()) return {seen.link, endpoint.spec};
  auto newest = link_with(*seen.link, *seen.link->wanted);
  const api::Endpoint* wanted = endpoint_of(newest->spec, endpoint.name);
  if (!wanted) return {seen.link, endpoint.spec};
  return {std::move(newest), wanted};
}

std::string trial_message(const api::TrialStatus& trial) {
  if (trial.message) return *trial.message;
  if (trial.endpoint.empty())
    return fmt::format(
        "generation {} changes what PostgreSQL or its pod is started with: it is tried by a replica "
        "first, once one streams",
        trial.generation);
  return fmt::format("{} tries generation {}; the others follow once it runs with it", trial.endpoint,
                     trial.generation);
}

}  // namespace twinspan::controllers
