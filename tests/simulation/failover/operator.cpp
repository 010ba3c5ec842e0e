#include "operator.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "failover/log/sight.hpp"

namespace twinspan::simulation {
namespace {

using std::chrono::milliseconds;

constexpr Micros kPatience = 1000 * kMs;  // of one question to an agent
constexpr Micros kTrusted = 2000 * kMs;   // older reports are not acted upon
constexpr Micros kApiPatience = 2000 * kMs;

milliseconds span(Micros micros) { return milliseconds(micros / kMs); }

}  // namespace

Operator::Operator(Cluster& cluster, std::string address) : cluster_(cluster), address_(std::move(address)) {}

template <class Effect>
void Operator::in_this_life(Micros delay, Effect effect) {
  cluster_.network.at(delay, [this, life = life_, effect = std::move(effect)] {
    if (life_ != life) return;
    if (now() < suspended_until_)
      in_this_life(suspended_until_ - now() + 1, effect);  // what arrived meanwhile waits in its sockets
    else
      effect();
  });
}

void Operator::start() {
  ++life_;
  link_ = {};
  policy_ = {};
  lease_ = {};
  claims_ = {};
  link_learned_ = policy_learned_ = lease_learned_ = claims_learned_ = 0;
  lease_since_ = holder_since_ = now();
  primary_ = {};
  heard_.clear();
  writing_ = 0;
  said_ = {};
  cluster_.api.add_reader(address_, {Kind::kLink, Kind::kPolicy, Kind::kLease, Kind::kClaims},
                          [this, life = life_](const Arrival& arrival) {
                            if (life_ == life) in_this_life(0, [this, arrival] { arrived(arrival); });
                          });
  tick();
}

void Operator::tick() {
  for (const Kind kind : {Kind::kLink, Kind::kPolicy, Kind::kLease, Kind::kClaims})
    if (cluster_.network.chance(0.1)) cluster_.api.list(address_, kind);
  if (link_.object)
    for (const std::string& endpoint : link_.object->endpoints) ask(endpoint);
  keep_house();
  step();
  in_this_life(cluster_.network.uniform(100, 200) * kMs, [this] { tick(); });
}

void Operator::ask(const std::string& endpoint) {
  const Agent* target = cluster_.find(endpoint);
  Heard& heard = heard_[endpoint];
  if (target && heard.pod != target->pod() && (heard.pod < 0 || cluster_.network.chance(0.3))) {
    heard = {};  // another pod is another member
    heard.pod = target->pod();
    heard.received_at = now();
  }
  if (!target || heard.asking != 0 || heard.pod != target->pod()) return;
  const uint64_t asking = heard.asking = ++tokens_;
  const auto failed = [this, endpoint, asking] {
    Heard& same = heard_[endpoint];
    if (same.asking != asking) return;
    same.asking = 0;
    ++same.failures;
    step();
  };
  in_this_life(target->alive() ? kPatience : 2 * kMs, failed);
  cluster_.network.send(address_, target->address(), [this, endpoint, asking, asked = now(), life = life_] {
    Agent* there = cluster_.find(endpoint);
    if (!there || !there->awake()) return;
    cluster_.network.send(there->address(), address_, [this, asking, asked, life, report = there->describe()] {
      if (life_ != life) return;
      in_this_life(0, [this, asking, asked, report] {
        Heard& same = heard_[report.endpoint];
        if (same.asking != asking) return;
        same.asking = 0;
        same.report = report;
        same.asked_at = asked;
        same.received_at = now();
        same.failures = 0;
        step();
      });
    });
  });
}

// A lower version counts only where it answers a request that was sent after the higher one was known: history went
// back.
template <class T>
bool Operator::note(Stored<T>& known, Micros& learned, const Stored<T>& arrived, bool proven) {
  // A list shows whether an object is there, whatever its versions say: two histories may use one number.
  const bool appears = proven && !arrived.object != !known.object;
  if (arrived.version == known.version && known.version != 0 && !appears) return false;
  if (arrived.version < known.version && !proven) return false;
  known = arrived;
  learned = now();
  return true;
}

void Operator::note_lease(const Stored<LeaseObject>& lease, bool proven) {
  const std::shared_ptr<const LeaseObject> before = lease_.object;
  if (!note(lease_, lease_learned_, lease, proven)) return;
  lease_since_ = now();
  if (!before || !lease.object || before->record.held() != lease.object->record.held() ||
      before->record.epoch != lease.object->record.epoch ||
      before->record.holder_endpoint != lease.object->record.holder_endpoint ||
      before->record.holder_instance != lease.object->record.holder_instance)
    holder_since_ = now();
}

void Operator::arrived(const Arrival& arrival) {
  const auto proven = [&](Micros learned) {
    return arrival.listed && arrival.asked_at > learned && !cluster_.mistaken(Mistake::kLowerVersionsIgnored);
  };
  switch (arrival.kind) {
    case Kind::kLink: note(link_, link_learned_, arrival.state.link, proven(link_learned_)); break;
    case Kind::kPolicy: note(policy_, policy_learned_, arrival.state.policy, proven(policy_learned_)); break;
    case Kind::kLease: note_lease(arrival.state.lease, proven(lease_learned_)); break;
    case Kind::kClaims: note(claims_, claims_learned_, arrival.state.claims, proven(claims_learned_)); break;
  }
  step();
}

FailoverRules Operator::rules() const {
  FailoverRules rules = policy_.object ? policy_.object->rules : FailoverRules{};
  rules.durability = link_.object->durability;
  return rules;
}

MemberSeen Operator::sight_of(const std::string& endpoint) const {
  MemberSeen member;
  member.name = endpoint;
  const auto found = heard_.find(endpoint);
  if (found == heard_.end() || found->second.pod < 0) {
    member.failures = 3;  // its pod is not there
    member.silent_for = span(now() - holder_since_);
    return member;
  }
  const Heard& heard = found->second;
  member.report = heard.report;
  member.failures = heard.failures;
  member.silent_for = span(now() - heard.received_at);
  member.fresh = heard.report && now() - heard.received_at < kTrusted && heard.asked_at >= holder_since_;
  if (cluster_.mistaken(Mistake::kReportsNeverAge)) member.fresh = heard.report.has_value();
  if (cluster_.mistaken(Mistake::kSilentIsEmpty)) member.surely_empty = true;
  if (member.surely_empty || !claims_.object || !lease_.object) return member;
  const auto claim = claims_.object->find(endpoint);
  member.surely_empty = claim != claims_.object->end() && claim->second.link_uid == link_.object->uid &&
                        lease_.object->record.epoch == Epoch{0} && claim->second.created >= lease_.object->created;
  return member;
}

// How far the primary was: its own last word to this operator, or the one that stands in its lease.
void Operator::remember_position() {
  if (!lease_.object) return;
  const LeaseRecord& record = lease_.object->record;
  if (record.promoted && record.end) primary_.hear(record.epoch, *record.end);
  if (record.held() && record.promoted) {
    const auto heard = heard_.find(record.holder_endpoint);
    if (heard != heard_.end() && heard->second.report && heard->second.report->received)
      primary_.hear(record.epoch, *heard->second.report->received);
  }
}

FailoverSeen Operator::gather(const LeaseObject* confirmed, Epoch known_then) {
  remember_position();
  FailoverSeen seen;
  seen.ns = "shop";
  seen.link = "orders";
  seen.source = link_.object->endpoints.front();
  seen.assignment = link_.object->assignment;
  seen.word = link_.object->word;
  seen.primary_last_known = primary_.position();
  seen.routing = Routing::kTo;
  seen.endpoints_ready = true;
  seen.lease_confirmed = confirmed != nullptr;
  if (lease_.object) {
    const bool same = !confirmed || confirmed->record.version == lease_.object->record.version;
    seen.lease = same ? lease_.object->record : confirmed->record;
    seen.routed_to = seen.lease->held() ? seen.lease->holder_endpoint : "";
    seen.lease_unchanged_for = same ? span(now() - lease_since_) : milliseconds(0);
    seen.holder_for = span(now() - holder_since_);
    const milliseconds promised =
        lease_.object->duration.count() > 0 ? lease_.object->duration : rules().lease.duration;
    seen.lease_may_be_taken = !seen.lease->held() || seen.lease_unchanged_for >= promised;
    if (seen.lease->holder_endpoint == link_.object->restore_at) seen.replace = link_.object->restore;
  }
  for (const std::string& endpoint : link_.object->endpoints) {
    seen.members.push_back(sight_of(endpoint));
    auto& report = seen.members.back().report;
    if (cluster_.mistaken(Mistake::kRestoreUndone) && report && report->memory) report->memory->epochs.clear();
    // Whoever told of a later epoch only after the lease was asked for may be ahead of it.
    if (report && seen.lease && remembered_epoch(*report) > std::max(known_then, seen.lease->epoch))
      seen.lease_confirmed = false;
  }
  if (cluster_.mistaken(Mistake::kWordNeverAges) && seen.word && seen.lease) seen.word->epoch = offered_epoch(seen);
  if (cluster_.mistaken(Mistake::kSourceWasLast) && seen.lease && !seen.lease->held() && !seen.lease->release)
    seen.lease->release = Release{seen.source, Cause::kShutdown, std::nullopt};
  if (policy_.object) {
    seen.current = policy_.object->current;
    seen.desired_reached = policy_.object->desired_reached;
    if (seen.current) seen.step_for = span(now() - policy_.object->step_since);
    seen.stable_for = span(now() - policy_.object->stable_since);
    if (cluster_.mistaken(Mistake::kPromotionAwaitedForEver)) seen.step_for = seen.holder_for = {};
  }
  return seen;
}

void Operator::step(const LeaseObject* confirmed, Epoch known_then) {
  if (writing_ != 0 || !link_.object) return;
  const FailoverSeen seen = gather(confirmed, known_then);
  const Decision decision = decide(seen, rules());
  if (decision.confirm_lease && !confirmed) return confirm_lease();
  if (decision.reason != said_.reason || decision.needs_person != said_.needs_person) {
    said_since_ = now();
    cluster_.ledger.note(fmt::format("{} {}{}: {}", address_, decision.needs_person ? "! " : "",
                                     to_string(decision.reason), decision.message));
  }
  said_ = decision;
  carry_out(seen, decision);
}

PolicyObject Operator::next_status(const FailoverSeen& seen, const Decision& decision) const {
  PolicyObject next = *policy_.object;
  if (decision.ended && next.current) {
    next.current.reset();
    next.stable_since = now();
  } else {
    const bool moved = decision.current && (!next.current || next.current->step != decision.current->step ||
                                            next.current->epoch != decision.current->epoch);
    if (moved) next.step_since = now();
    next.current = decision.current;
  }
  const std::string& desired = next.rules.desired_primary;
  if (desired.empty() || next.desired_reached != desired) next.desired_reached.clear();
  const bool there = seen.lease && seen.lease->held() && seen.lease->promoted;
  if (!desired.empty() && there && desired == seen.lease->holder_endpoint && !next.current)
    next.desired_reached = desired;
  return next;
}

// One request at a time; what is under way when no answer comes may still take effect.
template <class AtServer, class Then>
void Operator::write(AtServer at_server, Then then, bool decide_again) {
  const uint64_t writing = writing_ = ++tokens_;
  cluster_.api.request(address_, [this, writing, life = life_, at_server, then, decide_again] {
    const bool ok = at_server();
    cluster_.api.answer(address_, [this, writing, life, ok, then, decide_again, state = cluster_.api.state()] {
      if (life_ != life) return;
      in_this_life(0, [this, writing, ok, then, decide_again, state] {
        if (writing_ != writing) return;
        writing_ = 0;
        if (ok) then(state);
        if (decide_again) step();
      });
    });
  });
  in_this_life(kApiPatience, [this, writing] {
    if (writing_ == writing) writing_ = 0;
  });
}

// Intent first: whatever happens to this operator now, another one reads what was under way.
void Operator::carry_out(const FailoverSeen& seen, const Decision& decision) {
  if (writing_ != 0) return;
  const bool assigns = decision.assign && decision.assign != seen.assignment;
  const bool times = seen.assignment && link_.object->lease_duration != rules().lease.duration;
  std::optional<Assignment> assignment;
  if (assigns)
    assignment = decision.assign;
  else if (times)
    assignment = seen.assignment;
  if (assigns)
    cluster_.ledger.note(fmt::format("{} {}: assigns {} in epoch {} ({})", address_, to_string(decision.reason),
                                     decision.assign->primary, decision.assign->epoch.value, decision.message));
  if (policy_.object) {
    const PolicyObject next = next_status(seen, decision);
    if (next.current != policy_.object->current || next.desired_reached != policy_.object->desired_reached) {
      write([this, next, version = policy_.version] { return cluster_.api.put(version, next); },
            [this, assignment, told = !seen.lease || lease_tells(seen)](const ApiState& state) {
              note(policy_, policy_learned_, state.policy, false);
              if (assignment) write_assignment(*assignment, told);
            });
      return;
    }
  }
  if (assignment) write_assignment(*assignment, lease_tells(seen));
}

void Operator::write_assignment(const Assignment& assignment, bool lease_told) {
  if (!link_.object) return;  // it was deleted meanwhile
  LinkObject next = *link_.object;
  next.assignment = assignment;
  next.lease_duration = rules().lease.duration;
  const bool elects = !assignment.primary.empty() && assignment.primary != assignment.previous &&
                      assignment.cause != Cause::kSwitchover && assignment.cause != Cause::kInitial &&
                      !next.durability.synchronous;
  write(
      [this, next, elects, lease_told, version = link_.version] {
        if (!cluster_.api.put(version, next)) return false;
        cluster_.ledger.assigned(*next.assignment);
        if (elects) cluster_.ledger.elected_without_replicas(*next.assignment, lease_told);
        return true;
      },
      [this](const ApiState& state) { note(link_, link_learned_, state.link, false); });
}

void Operator::confirm_lease() {
  Epoch known;
  for (const auto& [endpoint, heard] : heard_)
    if (heard.report) known = std::max(known, remembered_epoch(*heard.report));
  write([] { return true; },
        [this, known](const ApiState& state) {
          note_lease(state.lease, false);
          if (state.lease.object) step(state.lease.object.get(), known);
        },
        false);
}

void Operator::keep_house() {
  if (!link_.object || writing_ != 0) return;
  if (!lease_.object && lease_.version != 0 && cluster_.network.chance(0.3)) {
    LeaseObject made;
    made.created = now() / kSecond;
    write([this, made, version = lease_.version] { return cluster_.api.put(version, made); },
          [this](const ApiState& state) { note_lease(state.lease, false); });
    return;
  }
  // What was restored beside a primary's data is given up once another is primary, as the backup controller does.
  const LinkObject& link = *link_.object;
  const LeaseRecord held = lease_.object ? lease_.object->record : LeaseRecord{};
  if (!link.restore.empty() && held.promoted && held.held() && held.holder_endpoint != link.restore_at) {
    LinkObject next = link;
    next.restore.clear();
    next.restore_at.clear();
    write([this, next, version = link_.version] { return cluster_.api.put(version, next); },
          [this](const ApiState& state) { note(link_, link_learned_, state.link, false); });
    return;
  }
  // The status is written now and then: another version of the link, by which whoever else writes it is in conflict.
  if (!cluster_.network.chance(0.02)) return;
  write([this, next = *link_.object, version = link_.version] { return cluster_.api.put(version, next); },
        [this](const ApiState& state) { note(link_, link_learned_, state.link, false); });
}

}  // namespace twinspan::simulation
