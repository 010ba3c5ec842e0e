#include "world.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twinspan::simulation {
namespace {

using std::chrono::milliseconds;

constexpr Micros kMs = 1000;
constexpr Micros kSecond = 1'000'000;

// Log records carry the epoch they were written in; a log is runs of epochs, each up to an end position.
struct Log {
  std::vector<std::pair<int64_t, uint64_t>> runs;  // epoch, end; ends grow
  uint64_t end() const { return runs.empty() ? 0 : runs.back().second; }
  void append(int64_t epoch) {
    if (runs.empty() || runs.back().first != epoch) runs.push_back({epoch, end()});
    ++runs.back().second;
  }
  int64_t epoch_at(uint64_t position) const {  // of the record that ends at `position`
    for (const auto& [epoch, limit] : runs)
      if (position <= limit) return epoch;
    return 0;
  }
  bool prefix_of(const Log& other) const {
    for (size_t i = 0; i < runs.size(); ++i) {
      if (i >= other.runs.size() || runs[i].first != other.runs[i].first) return false;
      if (runs[i].second > other.runs[i].second) return false;
      if (runs[i].second < other.runs[i].second && i + 1 < runs.size()) return false;
    }
    return true;
  }
};

struct Api {  // linearizable; answers only while up
  bool up = true;
  int64_t version = 1;
  LeaseRecord lease;
  std::optional<Assignment> assignment;
  int64_t assignment_version = 1;
  std::optional<Transition> current;
  Micros current_since = 0;
  std::string desired_reached;
  std::optional<Position> primary_last_known;
};

struct Member {
  std::string name;
  int instance = 0;
  bool alive = true;        // the agent
  Micros frozen_until = 0;  // agent and database stand still (a suspended machine)
  Micros agent_frozen_until = 0;
  double rate = 1.0;  // its clock's
  Micros clock_offset = 0;
  // what the agent knows
  std::optional<Assignment> assignment;
  LeaseObservation observation{LeaseTiming{}};
  int64_t lease_version = 0, assignment_version = 0;
  std::optional<LeaseTenure> tenure;
  std::string tenure_version;
  bool renewing = false;
  // the database
  DataShape data = DataShape::kNone;
  ProcessState process = ProcessState::kStopped;
  bool writable = false;
  bool died = false;
  bool receiver_stopped = true;
  std::string following;
  Log log;
  bool stopping = false;
  std::optional<uint64_t> clean_end;
  uint64_t busy = 0;  // token of the action under way; 0: none
  bool handing_over = false;
  uint64_t generation = 0;  // of the database process: effects of earlier ones are void
};

struct Operator {
  Micros frozen_until = 0;
  bool alive = true;
  struct Heard {
    std::optional<MemberReport> report;
    Micros requested_at = -1, answered_at = -1;
    int failures = 0;
    bool waiting = false;
  };
  std::map<std::string, Heard> heard;
  std::optional<LeaseRecord> lease;
  Micros lease_since = 0;   // unchanged since
  Micros holder_since = 0;  // the holder or epoch changed
  std::optional<Assignment> assignment;
  int64_t assignment_version = 0;
  bool writing = false;
  std::string reason;
  Micros began = 0;
};

class World {
 public:
  World(uint64_t seed, const Options& options) : options_(options), random_(seed) {
    for (int i = 0; i < options.members; ++i) {
      Member& one = members_.emplace_back();
      one.name = fmt::format("m{}", i);
      one.rate =
          1.0 + (chance(0.5) ? uniform(-20000, 20000) * 1e-6 : 0.0);  // 2 %: margin / duration allows ten times that
      one.clock_offset = uniform(0, 1000) * kSecond;
    }
    api_.lease.version = "1";
    operators_.resize(2);
    rules_.mode = Mode::kAutomatic;
    rules_.durability = {options.synchronous, 1};
    rules_.max_lag_bytes = options.synchronous ? 0 : UINT64_MAX / 2;
    rules_.promotion_timeout = milliseconds(8000);
  }

  Outcome go() {
    for (size_t i = 0; i < members_.size(); ++i) tick_member(i, members_[i].instance);
    for (size_t i = 0; i < operators_.size(); ++i) tick_operator(i);
    at(50 * kMs, [this] { client(); });
    at(uniform(100, 3000) * kMs, [this] { misfortune(); });
    at(options_.chaos, [this] { mend(); });
    at(options_.chaos + kSecond, [this] { look(); });
    while (!events_.empty() && events_.top().when <= options_.chaos + options_.calm && outcome_.violations.empty() &&
           recovered_ < 3) {
      Event next = std::move(const_cast<Event&>(events_.top()));
      events_.pop();
      now_ = next.when;
      next.what();
    }
    if (outcome_.violations.empty() && recovered_ < 3)
      for (const std::string& what : not_recovered()) violate(what, false);
    outcome_.failovers = static_cast<int>(std::max<int64_t>(0, api_.lease.epoch.value - 1));
    return outcome_;
  }

 private:
  struct Event {
    Micros when;
    uint64_t order;
    std::function<void()> what;
    bool operator<(const Event& other) const { return std::tie(other.when, other.order) < std::tie(when, order); }
  };

  // ---- chance, time, network
  int64_t uniform(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(random_() % static_cast<uint64_t>(most - least + 1));
  }
  bool chance(double p) { return static_cast<double>(random_() >> 11) * 0x1.0p-53 < p; }
  void at(Micros delay, std::function<void()> what) { events_.push({now_ + delay, ++order_, std::move(what)}); }
  BootTime clock(const Member& one) const {
    return BootTime(
        std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(now_ + one.clock_offset) * one.rate) * 1000));
  }
  void note(const std::string& text) {
    if (options_.trace) outcome_.trace.push_back(fmt::format("{:>10.3f} {}", static_cast<double>(now_) / 1e6, text));
  }
  void violate(const std::string& what, bool unsafe = true) {
    outcome_.unsafe |= unsafe;
    note("VIOLATION " + what);
    outcome_.violations.push_back(fmt::format("at {:.3f} s: {}", static_cast<double>(now_) / 1e6, what));
  }
  bool passes(const std::string& from, const std::string& to) {
    if (cut_.contains({from, to})) return false;
    return !(faulty() && chance(0.02));
  }
  bool faulty() const { return now_ < options_.chaos; }
  Micros latency() {
    if (faulty() && chance(0.02)) return uniform(50, 2500) * kMs;
    return uniform(200, 8000);
  }
  // One way; duplicated now and then.
  void send(const std::string& from, const std::string& to, std::function<void()> arrive) {
    if (!passes(from, to)) return;
    if (faulty() && chance(0.01)) at(latency(), arrive);
    at(latency(), std::move(arrive));
  }
  bool awake(const Member& one) const {
    return one.alive && now_ >= one.frozen_until && now_ >= one.agent_frozen_until;
  }

  // ---- the API server
  void lease_changed() {
    api_.lease.version = std::to_string(++api_.version);
    for (size_t i = 0; i < members_.size(); ++i) tell_member(i);
    for (size_t i = 0; i < operators_.size(); ++i) tell_operator(i);
  }
  void tell_member(size_t i) {  // a watch event: the state as of now, arriving later
    if (!api_.up) return;
    const int instance = members_[i].instance;
    send("api", members_[i].name,
         [this, i, instance, lease = api_.lease, version = api_.version, assignment = api_.assignment,
          assignment_version = api_.assignment_version] {
           if (instance != members_[i].instance || !members_[i].alive) return;
           learn(i, lease, version, assignment, assignment_version);
         });
  }
  void learn(size_t i, const LeaseRecord& lease, int64_t version, const std::optional<Assignment>& assignment,
             int64_t assignment_version) {
    Member& one = members_[i];
    if (!awake(one)) {
      const int instance = one.instance;
      const Micros wake = std::max(one.frozen_until, one.agent_frozen_until) - now_;
      at(wake + 1, [=, this] {
        if (members_[i].instance == instance && members_[i].alive)
          learn(i, lease, version, assignment, assignment_version);
      });
      return;
    }
    if (version > one.lease_version) {
      one.lease_version = version;
      one.observation.observe(lease, clock(one));
    }
    if (assignment_version > one.assignment_version) {
      one.assignment_version = assignment_version;
      one.assignment = assignment;
    }
    step_member(i);
  }
  void tell_operator(size_t i) {
    if (!api_.up) return;
    send("api", op_name(i), [this, i, lease = api_.lease, assignment = api_.assignment, av = api_.assignment_version] {
      Operator& one = operators_[i];
      if (!one.alive || now_ < one.frozen_until) return;
      if (one.lease && std::stoll(lease.version) <= std::stoll(one.lease->version) && av <= one.assignment_version)
        return;
      if (!one.lease || one.lease->version != lease.version) {
        if (!one.lease || std::stoll(lease.version) > std::stoll(one.lease->version)) {
          if (!one.lease || one.lease->held() != lease.held() || one.lease->epoch != lease.epoch)
            one.holder_since = now_;
          one.lease = lease;
          one.lease_since = now_;
        }
      }
      if (av > one.assignment_version) {
        one.assignment = assignment;
        one.assignment_version = av;
      }
      step_operator(i);
    });
  }
  static std::string op_name(size_t i) { return fmt::format("op{}", i); }

  // A conditional update of the lease; `answer` may never come although the update was done.
  void put_lease(size_t i, const std::string& version, LeaseRecord wanted,
                 std::function<void(bool ok, const LeaseRecord&, int64_t)> answer) {
    const std::string name = members_[i].name;
    send(name, "api", [=, this] {
      if (!api_.up) return;
      const bool ok = api_.lease.version == version || (version.empty() && api_.lease.version.empty());
      if (ok) {
        if (wanted.epoch < api_.lease.epoch) violate("the epoch went back");
        if (wanted.epoch.value > api_.lease.epoch.value + 1) violate("the epoch jumped");
        api_.lease = wanted;
        lease_changed();
      }
      send("api", name, [=, now = api_.lease, v = api_.version] { answer(ok, now, v); });
    });
  }

  // ---- the member
  void tick_member(size_t i, int instance) {
    Member& one = members_[i];
    if (!one.alive || one.instance != instance) return;
    if (awake(one)) {
      // Polling stands for re-lists: whatever watch events were lost, the present state arrives.
      if (chance(0.3)) send(one.name, "api", [this, i] { tell_member(i); });
      step_member(i);
    }
    at(uniform(80, 160) * kMs, [this, i, instance] { tick_member(i, instance); });
  }
  LeaseRecord held_by(const Member& one, Epoch epoch, bool promoted) {
    LeaseRecord record;
    record.holder_endpoint = one.name;
    record.holder_instance = std::to_string(one.instance);
    record.epoch = epoch;
    record.promoted = promoted;
    return record;
  }
  // The guard runs apart from the agent and acts when the agent can't; a suspended machine suspends it too.
  void guard(size_t i, uint64_t generation) {
    Member& one = members_[i];
    if (one.generation != generation || one.process != ProcessState::kPrimaryRunning || options_.broken_fence) return;
    if (now_ < one.frozen_until) {
      at(one.frozen_until - now_, [=, this] { guard(i, generation); });
      return;
    }
    if (!one.alive || !one.tenure || one.tenure->expired(clock(one))) {
      kill_database(i, false);
      return;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::microseconds>(one.tenure->fence_at() - clock(one)).count();
    at(std::max<Micros>(static_cast<Micros>(static_cast<double>(left) / one.rate), 1),
       [=, this] { guard(i, generation); });
  }
  void kill_database(size_t i, bool unasked) {
    Member& one = members_[i];
    if (one.process == ProcessState::kStopped) return;
    ++one.generation;
    one.process = ProcessState::kStopped;
    one.writable = false;
    one.died = unasked;
    one.receiver_stopped = true;
    one.busy = 0;
    one.handing_over = false;
    one.clean_end.reset();
    note(fmt::format("{} database gone{}", one.name, unasked ? " by itself" : ""));
  }
  void start_database(size_t i, ProcessState state) {
    Member& one = members_[i];
    ++one.generation;
    one.process = state;
    one.died = false;
    one.clean_end.reset();
    if (state == ProcessState::kPrimaryRunning) guard(i, one.generation);
  }
  MemberView view(Member& one) {
    if (one.tenure && one.tenure->expired(clock(one)) && !options_.broken_fence) one.tenure.reset();
    MemberView v;
    v.self = one.name;
    v.instance = std::to_string(one.instance);
    v.assignment = one.assignment;
    v.lease = one.observation.record();
    v.lease_may_be_taken = one.observation.may_be_taken(clock(one));
    if (one.tenure) v.tenure = one.tenure->epoch();
    v.stopping = one.stopping;
    v.data = one.data;
    v.process = one.process;
    v.process_died = one.died;
    v.received = Position{one.log.end()};
    v.receiver_stopped = one.receiver_stopped;
    v.following = one.following;
    v.diverged = DivergedRule::kRewind;
    if (v.lease && v.lease->held() && v.lease->holder_endpoint != one.name) {
      v.upstream = v.lease->holder_endpoint;
      const Member& holder = by_name(v.upstream);
      const bool reachable =
          holder.writable && !cut_.contains({one.name, holder.name}) && !cut_.contains({holder.name, one.name});
      if (reachable) v.lineage = one.log.prefix_of(holder.log) ? Lineage::kFollows : Lineage::kDiverged;
    }
    return v;
  }
  Member& by_name(const std::string& name) { return members_[static_cast<size_t>(name[1] - '0')]; }

  void step_member(size_t i) {
    Member& one = members_[i];
    if (!awake(one)) return;
    renew(i);
    const MemberView seen = view(one);
    const MemberAction action = decide_member(seen);
    if (std::holds_alternative<Fence>(action)) {
      kill_database(i, false);
      return;
    }
    if (one.busy) return;
    if (!std::holds_alternative<Wait>(action)) note(fmt::format("{} {}", one.name, to_string(action)));
    std::visit([&](const auto& act) { perform(i, act); }, action);
  }
  void renew(size_t i) {
    Member& one = members_[i];
    if (!one.tenure || one.renewing || clock(one) < one.tenure->renew_at()) return;
    one.renewing = true;
    const BootTime sent = clock(one);
    const int instance = one.instance;
    const Epoch epoch = one.tenure->epoch();
    const bool marked =
        one.observation.record() && one.observation.record()->epoch == epoch && one.observation.record()->promoted;
    put_lease(i, one.tenure_version, held_by(one, epoch, marked),
              [=, this](bool ok, const LeaseRecord& now, int64_t version) {
                renewed(i, instance, epoch, sent, ok, now, version);
              });
    at(900 * kMs, [=, this] {
      if (members_[i].instance == instance) members_[i].renewing = false;
    });
  }
  void renewed(size_t i, int instance, Epoch epoch, BootTime sent, bool ok, const LeaseRecord& now, int64_t version) {
    Member& one = members_[i];
    if (one.instance != instance || !one.alive) return;
    if (!awake(one)) return;  // the answer waits in a buffer; the next renewal tells as much
    one.renewing = false;
    const bool mine =
        now.holder_endpoint == one.name && now.holder_instance == std::to_string(instance) && now.epoch == epoch;
    if (version > one.lease_version) {
      one.lease_version = version;
      one.observation.observe(now, clock(one));
    }
    if (!one.tenure || one.tenure->epoch() != epoch) return;
    if (ok) one.tenure->renewed(sent);
    if (mine) one.tenure_version = now.version;
    if (!mine) one.tenure.reset();  // somebody else has it, or it was released
    step_member(i);
  }

  // An action that takes time and ends only if the database was not killed meanwhile.
  void later(size_t i, Micros least_ms, Micros most_ms, std::function<void()> effect) {
    const uint64_t token = members_[i].busy = ++tokens_;
    const int instance = members_[i].instance;
    at(uniform(least_ms, most_ms) * kMs, [=, this, effect = std::move(effect)] { finish(i, token, instance, effect); });
  }
  void finish(size_t i, uint64_t token, int instance, const std::function<void()>& effect) {
    Member& one = members_[i];
    if (one.busy != token || one.instance != instance || !one.alive) return;
    const Micros awake_at = std::max(one.frozen_until, one.agent_frozen_until);
    if (now_ < awake_at) {
      at(awake_at - now_ + 1, [=, this] { finish(i, token, instance, effect); });
      return;
    }
    one.busy = 0;
    effect();
    step_member(i);
  }
  void perform(size_t, const Wait&) {}
  void perform(size_t, const Fence&) {}
  void perform(size_t, const Halt&) {}
  void perform(size_t i, const HandOver& act) {
    later(i, 50, 400, [this, i, act] {
      Member& one = members_[i];
      one.writable = false;
      const bool clean = chance(0.9);
      // A clean stop ends only when every connected replica has confirmed all of the log.
      if (clean)
        for (Member& replica : members_)
          if (streams_from(replica, one)) replica.log = one.log;
      kill_database(i, false);
      if (clean) one.clean_end = one.log.end();
      perform(i, ReleaseLease{act.cause});
    });
  }
  void perform(size_t i, const ReleaseLease& act) {
    Member& one = members_[i];
    if (!one.tenure || one.renewing) return;  // one request at a time; asked again
    one.renewing = true;
    LeaseRecord record;
    record.epoch = one.tenure->epoch();
    record.promoted = one.observation.record() && one.observation.record()->epoch == record.epoch &&
                      one.observation.record()->promoted;
    record.release = Release{one.name, act.cause, std::nullopt};
    if (one.clean_end) record.release->final_position = Position{*one.clean_end};
    const int instance = one.instance;
    const Epoch epoch = record.epoch;
    const BootTime sent = clock(one);
    one.tenure.reset();
    put_lease(i, one.tenure_version, record, [=, this](bool ok, const LeaseRecord& now, int64_t version) {
      renewed(i, instance, epoch, sent, ok, now, version);
    });
    at(900 * kMs, [=, this] {
      if (members_[i].instance == instance) members_[i].renewing = false;
    });
  }
  void perform(size_t i, const TakeLease& act) {
    Member& one = members_[i];
    const BootTime sent = clock(one);
    const int instance = one.instance;
    one.busy = ++tokens_;
    const uint64_t token = one.busy;
    at(1500 * kMs, [=, this] {
      if (members_[i].busy == token) members_[i].busy = 0;
    });
    put_lease(i, act.version, held_by(one, act.epoch, false),
              [=, this](bool ok, const LeaseRecord& now, int64_t version) {
                Member& same = members_[i];
                if (same.instance != instance || !awake(same)) return;
                if (same.busy == token) same.busy = 0;
                if (version > same.lease_version) {
                  same.lease_version = version;
                  same.observation.observe(now, clock(same));
                }
                if (ok && now.epoch == act.epoch && now.holder_endpoint == same.name) {
                  same.died = false;
                  same.tenure.emplace(LeaseTiming{}, act.epoch, sent);
                  same.tenure_version = now.version;
                  note(fmt::format("{} took the lease of epoch {}", same.name, act.epoch.value));
                }
                step_member(i);
              });
  }
  void perform(size_t i, const Initialize&) {
    later(i, 300, 900, [this, i] { members_[i].data = DataShape::kPrimary; });
  }
  void perform(size_t i, const StartPrimary&) {
    start_database(i, ProcessState::kPrimaryRunning);
    later(i, 50, 400, [this, i] { open(i); });
  }
  void perform(size_t i, const Promote&) {
    start_database(i, ProcessState::kPrimaryRunning);
    members_[i].following.clear();
    later(i, 50, 500, [this, i] {
      members_[i].data = DataShape::kPrimary;
      open(i);
    });
  }
  void open(size_t i) {
    Member& one = members_[i];
    if (one.process != ProcessState::kPrimaryRunning || !one.tenure) return;
    one.writable = true;
    note(fmt::format("{} accepts writes in epoch {} at {}", one.name, one.tenure->epoch().value, one.log.end()));
    check_single();
    if (options_.synchronous)
      for (const auto& [epoch, position] : acknowledged_)
        if (one.log.end() < position || one.log.epoch_at(position) != epoch)
          violate(fmt::format("{} lacks the acknowledged commit {} of epoch {}", one.name, position, epoch));
  }
  void perform(size_t i, const MarkPromoted&) {
    Member& one = members_[i];
    if (one.renewing || !one.writable) return;
    one.renewing = true;
    const BootTime sent = clock(one);
    const int instance = one.instance;
    const Epoch epoch = one.tenure->epoch();
    put_lease(i, one.tenure_version, held_by(one, epoch, true),
              [=, this](bool ok, const LeaseRecord& now, int64_t version) {
                renewed(i, instance, epoch, sent, ok, now, version);
              });
    at(900 * kMs, [=, this] {
      if (members_[i].instance == instance) members_[i].renewing = false;
    });
  }
  void perform(size_t i, const StopReceiver&) {
    later(i, 5, 150, [this, i] { members_[i].receiver_stopped = true; });
  }
  void perform(size_t i, const StartReplica& act) {
    start_database(i, ProcessState::kReplicaRunning);
    Member& one = members_[i];
    one.data = DataShape::kReplica;
    one.following = act.upstream;
    one.receiver_stopped = act.upstream.empty();
    later(i, 50, 300, [] {});
  }
  void perform(size_t i, const Follow& act) {
    later(i, 5, 100, [this, i, act] {
      members_[i].following = act.upstream;
      members_[i].receiver_stopped = false;
    });
  }
  void perform(size_t i, const Clone& act) { copy_from(i, act.from, 500, 3000); }
  void perform(size_t i, const Rewind& act) { copy_from(i, act.from, 300, 1500); }
  void copy_from(size_t i, const std::string& from, Micros least_ms, Micros most_ms) {
    kill_database(i, false);
    later(i, least_ms, most_ms, [this, i, from] {
      Member& one = members_[i];
      const Member& source = by_name(from);
      if (!source.writable || cut_.contains({one.name, from}) || cut_.contains({from, one.name})) return;
      one.log = source.log;
      one.data = DataShape::kReplica;
    });
  }
  void perform(size_t i, const StopReplica&) {
    later(i, 10, 100, [this, i] { kill_database(i, false); });
  }
  void perform(size_t i, const Exit&) { restart_agent(i, uniform(200, 3000) * kMs); }

  void restart_agent(size_t i, Micros after) {
    Member& one = members_[i];
    if (!one.alive) return;
    note(fmt::format("{} agent gone", one.name));
    one.alive = false;
    kill_database(i, false);
    at(after, [this, i] {
      Member& same = members_[i];
      same.alive = true;
      ++same.instance;
      same.tenure.reset();
      same.renewing = same.stopping = same.died = false;
      same.busy = 0;
      same.observation.forget();
      same.assignment.reset();
      same.lease_version = same.assignment_version = 0;
      same.following.clear();
      note(fmt::format("{} agent back", same.name));
      tick_member(i, same.instance);
    });
  }

  // ---- streaming and clients
  bool streams_from(const Member& replica, const Member& primary) {
    return replica.process == ProcessState::kReplicaRunning && !replica.receiver_stopped &&
           replica.following == primary.name && now_ >= replica.frozen_until &&
           !cut_.contains({primary.name, replica.name}) && !cut_.contains({replica.name, primary.name}) &&
           replica.log.prefix_of(primary.log);
  }
  void client() {
    for (Member& one : members_) {
      if (!one.writable || now_ < one.frozen_until) continue;
      const int64_t epoch = one.tenure ? one.tenure->epoch().value : api_.lease.epoch.value;
      one.log.append(epoch);
      int confirmed = 0;
      for (Member& replica : members_)
        if (&replica != &one && chance(0.85) && streams_from(replica, one)) {
          replica.log = one.log;
          ++confirmed;
        }
      if (!options_.synchronous || confirmed >= 1) {
        acknowledged_[epoch] = one.log.end();
        ++outcome_.acknowledged;
      }
    }
    check_single();
    at(uniform(40, 120) * kMs, [this] { client(); });
  }
  void check_single() {
    std::string who;
    int count = 0;
    for (const Member& one : members_)
      if (one.writable && now_ >= one.frozen_until) {
        ++count;
        who += " " + one.name;
      }
    if (count > 1) violate("more than one accepts writes:" + who);
  }

  // ---- the operators
  void tick_operator(size_t i) {
    Operator& one = operators_[i];
    if (one.alive && now_ >= one.frozen_until) {
      if (chance(0.3)) send(op_name(i), "api", [this, i] { tell_operator(i); });
      for (Member& member : members_) ask(i, member);
      step_operator(i);
    }
    at(uniform(100, 200) * kMs, [this, i] { tick_operator(i); });
  }
  void ask(size_t i, Member& member) {
    Operator::Heard& heard = operators_[i].heard[member.name];
    if (heard.waiting) return;
    heard.waiting = true;
    const Micros asked = now_;
    const size_t index = static_cast<size_t>(member.name[1] - '0');
    at(1000 * kMs, [this, i, name = member.name, asked] {
      Operator::Heard& same = operators_[i].heard[name];
      if (!same.waiting || same.requested_at >= asked) return;
      same.waiting = false;
      ++same.failures;
    });
    send(op_name(i), member.name, [this, i, index, asked] {
      if (!awake(members_[index])) return;
      send(members_[index].name, op_name(i), [this, i, asked, report = describe(members_[index])] {
        Operator& one = operators_[i];
        if (!one.alive || now_ < one.frozen_until) return;
        Operator::Heard& same = one.heard[report.endpoint];
        if (same.requested_at >= asked) return;
        same = {report, asked, now_, 0, false};
        step_operator(i);
      });
    });
  }
  MemberReport describe(Member& one) {
    const MemberView seen = view(one);
    MemberReport report;
    report.endpoint = one.name;
    report.database_running = one.process != ProcessState::kStopped;
    report.role = one.process == ProcessState::kReplicaRunning ? Role::kReplica : Role::kPrimary;
    const bool primary = one.process == ProcessState::kPrimaryRunning;
    report.state = primary                ? MemberState::kRunning
                   : one.receiver_stopped ? MemberState::kDisconnected
                                          : MemberState::kStreaming;
    if (one.data != DataShape::kNone) report.system_id = "1";
    report.timeline = static_cast<uint32_t>(one.log.runs.empty() ? 0 : one.log.runs.back().first);
    report.received = Position{one.log.end()};
    report.receiver_stopped = one.receiver_stopped;
    report.frozen_for = frozen_for(seen);
    if (options_.broken_election && one.process == ProcessState::kReplicaRunning && seen.lease)
      report.frozen_for = seen.lease->epoch.next();
    report.lag_bytes = 0;
    report.sql_healthy = one.writable;
    return report;
  }
  void step_operator(size_t i) {
    Operator& one = operators_[i];
    if (!one.alive || now_ < one.frozen_until || one.writing || !one.lease) return;
    FailoverSeen seen;
    seen.source = members_[0].name;
    for (const Member& member : members_) {
      const Operator::Heard& heard = one.heard[member.name];
      MemberSeen& m = seen.members.emplace_back();
      m.name = member.name;
      m.report = heard.report;
      m.failures = heard.failures;
      m.fresh = heard.report && heard.requested_at >= one.holder_since && now_ - heard.answered_at < 2 * kSecond;
      m.silent_for = milliseconds((now_ - std::max(heard.answered_at, one.began)) / kMs);
    }
    seen.lease = one.lease;
    seen.lease_unchanged_for = milliseconds((now_ - one.lease_since) / kMs);
    seen.lease_may_be_taken = !one.lease->held() || now_ - one.lease_since >= 5 * kSecond;
    seen.assignment = one.assignment;
    seen.current = api_.current;
    seen.step_for = milliseconds((now_ - api_.current_since) / kMs);
    seen.routing = Routing::kTo;
    seen.routed_to = one.lease->held() ? one.lease->holder_endpoint : "";
    seen.endpoints_ready = true;
    seen.primary_last_known = Position{0};
    seen.desired_reached = api_.desired_reached;
    FailoverRules rules = rules_;
    rules.desired_primary = desired_;
    const Decision decision = decide(seen, rules);
    if (options_.trace && decision.reason != one.reason)
      note(fmt::format("op{} {}: {}", i, one.reason = decision.reason, decision.message));
    if (!decision.assign && decision.current == seen.current) return;
    if (options_.trace && decision.assign)
      note(fmt::format("op{} {}: assign {} epoch {} ({})", i, decision.reason, decision.assign->primary,
                       decision.assign->epoch.value, decision.message));
    one.writing = true;
    at(700 * kMs, [this, i] { operators_[i].writing = false; });
    send(op_name(i), "api", [this, i, decision, version = one.assignment_version] {
      if (!api_.up) return;
      if (decision.current != api_.current) {
        if (!decision.current || !api_.current || decision.current->step != api_.current->step)
          api_.current_since = now_;
        api_.current = decision.current;
        if (decision.completed && api_.lease.held())
          api_.desired_reached = desired_ == api_.lease.holder_endpoint ? desired_ : api_.desired_reached;
      }
      if (decision.assign && api_.assignment_version == version) {
        api_.assignment = decision.assign;
        ++api_.assignment_version;
        for (size_t m = 0; m < members_.size(); ++m) tell_member(m);
      }
      for (size_t o = 0; o < operators_.size(); ++o) tell_operator(o);
      send("api", op_name(i), [this, i] { operators_[i].writing = false; });
    });
  }

  // ---- faults
  void misfortune() {
    if (!faulty()) return;
    const size_t i = static_cast<size_t>(uniform(0, static_cast<int64_t>(members_.size()) - 1));
    // The primary is where faults matter.
    const size_t target =
        chance(0.6) && api_.lease.held() ? static_cast<size_t>(api_.lease.holder_endpoint[1] - '0') : i;
    Member& one = members_[target];
    switch (uniform(0, 12)) {
      case 0:
      case 1:
        kill_database(target, true);
        step_member(target);
        break;
      case 2: restart_agent(target, uniform(50, 6000) * kMs); break;
      case 3:
        one.frozen_until = now_ + uniform(100, 9000) * kMs;
        note(one.name + " machine frozen");
        wake(target, one.frozen_until);
        break;
      case 4:
        one.agent_frozen_until = now_ + uniform(100, 9000) * kMs;
        note(one.name + " agent frozen");
        break;
      case 5: cut_for(one.name, "api"); break;
      case 6: cut_for("api", one.name); break;
      case 7:
        cut_for(one.name, "api");
        cut_for("api", one.name);
        break;
      case 8:
        for (const Member& other : members_)
          if (&other != &one) {
            cut_for(one.name, other.name);
          }
        break;
      case 9:
        for (size_t o = 0; o < operators_.size(); ++o) {
          cut_for(one.name, op_name(o));
        }
        break;
      case 10:
        api_.up = false;
        note("api down");
        at(uniform(200, 8000) * kMs, [this] {
          api_.up = true;
          note("api up");
        });
        break;
      case 11: {
        Operator& op = operators_[static_cast<size_t>(uniform(0, 1))];
        if (chance(0.5)) {
          op.frozen_until = now_ + uniform(100, 9000) * kMs;
          break;
        }
        op = Operator{};
        op.began = now_;
        break;
      }
      case 12:
        if (chance(0.5))
          one.stopping = true;
        else
          desired_ = members_[i].name;
        note("switchover wanted or shutdown of " + one.name);
        step_member(target);
        break;
    }
    at(uniform(50, 6000) * kMs, [this] { misfortune(); });
  }
  // A machine that wakes first runs its guard: both were due, and the guard has the higher priority.
  void wake(size_t i, Micros when) {
    at(when - now_, [this, i] {
      if (now_ >= members_[i].frozen_until) guard(i, members_[i].generation);
      step_member(i);
      check_single();
    });
  }
  void cut_for(const std::string& from, const std::string& to) {
    note(fmt::format("cut {} -> {}", from, to));
    cut_.insert({from, to});
    at(uniform(200, 12000) * kMs, [this, from, to] { cut_.erase({from, to}); });
  }
  void mend() {
    note("mended");
    cut_.clear();
    api_.up = true;
    for (size_t i = 0; i < members_.size(); ++i) {
      Member& one = members_[i];
      one.agent_frozen_until = std::min(one.agent_frozen_until, now_);
      if (one.frozen_until <= now_) continue;
      one.frozen_until = now_;
      guard(i, one.generation);
      step_member(i);
    }
    for (Operator& one : operators_) one.frozen_until = std::min(one.frozen_until, now_);
  }
  // Recovered three seconds in a row is recovered: the rest of the time would show nothing new.
  void look() {
    recovered_ = not_recovered().empty() ? recovered_ + 1 : 0;
    at(kSecond, [this] { look(); });
  }
  std::vector<std::string> not_recovered() {
    std::vector<std::string> missing;
    const Member* primary = nullptr;
    for (const Member& one : members_)
      if (one.writable) primary = &one;
    if (!primary) return {"nobody accepts writes after everything was mended"};
    for (const Member& one : members_)
      if (&one != primary && !streams_from(one, *primary))
        missing.push_back(fmt::format("{} does not stream from {}", one.name, primary->name));
    if (api_.current) missing.push_back(fmt::format("the change to {} never ended", api_.current->to));
    return missing;
  }

  Options options_;
  std::mt19937_64 random_;
  std::priority_queue<Event> events_;
  uint64_t order_ = 0, tokens_ = 0;
  Micros now_ = 0;
  Api api_;
  std::vector<Member> members_;
  std::vector<Operator> operators_;
  std::set<std::pair<std::string, std::string>> cut_;
  std::map<int64_t, uint64_t> acknowledged_;
  std::string desired_;
  int recovered_ = 0;
  FailoverRules rules_;
  Outcome outcome_;
};

}  // namespace

Outcome run(uint64_t seed, const Options& options) { return World(seed, options).go(); }

}  // namespace twinspan::simulation
