#include "controllers/reports/worker_reports.hpp"

#include <condition_variable>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "core/guarded.hpp"
#include "core/log.hpp"
#include "core/role_thread.hpp"

namespace twinspan::controllers {
namespace {

using Name = std::pair<kube::Key, std::string>;  // link and endpoint

bool same_tls(const Target& a, const Target& b) {
  if (a.tls == b.tls) return true;
  if (!a.tls || !b.tls || a.tls->ca_pem != b.tls->ca_pem || !a.tls->identity != !b.tls->identity) return false;
  return !a.tls->identity || a.tls->identity->certificate_pem == b.tls->identity->certificate_pem;
}

bool same_member(const Target& a, const Target& b) {
  return a.address == b.address && a.pod_name == b.pod_name && a.pod_uid == b.pod_uid && a.port == b.port;
}

struct Member {
  Name name;
  Target target;
  std::shared_ptr<StatusProbe> probe;
  Seen seen;
  bool answered_once = false;  // an attempt of this target is over
  BootTime due{};
  bool queued = false, running = false, again = false, forgotten = false;
  uint64_t generation = 0;  // counts targets: an answer of an older target is dropped
  uint64_t begun = 0, ended = 0;
};
using MemberPtr = std::shared_ptr<Member>;

struct EarlierDue {
  bool operator()(const MemberPtr& a, const MemberPtr& b) const {
    return std::tie(a->due, a->name) < std::tie(b->due, b->name);
  }
};

}  // namespace

bool Seen::operator==(const Seen& other) const {
  return !report == !other.report && received_at == other.received_at && attempted_at == other.attempted_at &&
         failures == other.failures && error == other.error;
}

bool trust_turned(const Seen& before, const Seen& after, std::chrono::milliseconds trusted) {
  if (!before.report || !after.report) return false;
  if (after.received_at - before.received_at >= trusted || after.told_at - before.told_at >= trusted) return true;
  return before.received_at - before.told_at < trusted && after.received_at - after.told_at >= trusted;
}

struct WorkerReports::Impl {
  Impl(ReportsConfig c, const Clock& k, ProbeFactory f) : config(c), clock(k), make_probe(std::move(f)) {}

  ReportsConfig config;
  const Clock& clock;
  ProbeFactory make_probe;
  std::vector<Listener> listeners;

  mutable Mutex mutex;
  std::condition_variable_any work;   // `wakes` grew: a member may be due earlier than was known
  std::condition_variable_any ended;  // a poll is over, or a member was forgotten
  uint64_t wakes GUARDED_BY(mutex) = 0;
  // One idle thread waits for the next due time, the others for it to get busy. nullopt: no thread does.
  std::optional<BootTime> waited_for GUARDED_BY(mutex);
  std::map<Name, MemberPtr> members GUARDED_BY(mutex);
  std::set<kube::Key> changing GUARDED_BY(mutex);
  // Members that answered wait apart from those that did not, so that a lost node full of silent pods, each of which
  // takes its whole patience, never holds up the others.
  std::set<MemberPtr, EarlierDue> answering GUARDED_BY(mutex), silent GUARDED_BY(mutex);
  size_t silent_running GUARDED_BY(mutex) = 0;
  std::vector<RoleThread> threads;

  std::set<MemberPtr, EarlierDue>& lane(const Member& member) REQUIRES(mutex) {
    return member.seen.failures ? silent : answering;
  }

  void enqueue(const MemberPtr& member, BootTime due) REQUIRES(mutex) {
    dequeue(member);
    member->due = due;
    member->queued = lane(*member).insert(member).second;
    if (waited_for && due < *waited_for) wake_all();
  }

  void dequeue(const MemberPtr& member) REQUIRES(mutex) {
    if (member->queued) lane(*member).erase(member);
    member->queued = false;
  }

  void poll_now(const MemberPtr& member) REQUIRES(mutex) {
    if (member->running)
      member->again = true;
    else
      enqueue(member, clock.boot_now());
  }

  std::vector<MemberPtr> members_of(const kube::Key& link) const REQUIRES(mutex) {
    std::vector<MemberPtr> out;
    for (auto it = members.lower_bound({link, ""}); it != members.end() && it->first.first == link; ++it)
      out.push_back(it->second);
    return out;
  }

  bool silent_lane_open() const REQUIRES(mutex) { return silent_running < std::max<size_t>(1, config.threads / 2); }

  // The member to poll now, or nullptr and the time to wait.
  MemberPtr take(std::chrono::nanoseconds& wait) REQUIRES(mutex) {
    const BootTime now = clock.boot_now();
    wait = std::chrono::seconds(60);
    for (auto* queue : {&answering, &silent}) {
      if (queue->empty() || (queue == &silent && !silent_lane_open())) continue;
      const MemberPtr first = *queue->begin();
      if (first->due <= now) {
        dequeue(first);
        return first;
      }
      wait = std::min<std::chrono::nanoseconds>(wait, first->due - now);
    }
    return nullptr;
  }

  void wake_all() REQUIRES(mutex) {
    ++wakes;
    work.notify_all();
  }

  void run(const std::stop_token& stop) {
    MutexLock lock(mutex);
    while (!stop.stop_requested()) {
      std::chrono::nanoseconds wait{};
      if (const MemberPtr member = take(wait)) {
        ++wakes;
        work.notify_one();  // somebody else waits for the next one
        poll(*member, member, stop);
        continue;
      }
      const auto woken = [this, known = wakes]() REQUIRES(mutex) { return wakes != known; };
      if (waited_for) {
        work.wait(lock, stop, woken);
        continue;
      }
      waited_for = clock.boot_now() + wait;
      work.wait_for(lock, stop, wait, woken);
      waited_for.reset();
    }
  }

  // The mutex is let go while the agent is asked and while listeners are told.
  void poll(Member& member, const MemberPtr& self, const std::stop_token& stop) REQUIRES(mutex) {
    const bool was_silent = member.seen.failures > 0;
    silent_running += was_silent;
    member.running = true;
    const uint64_t attempt = ++member.begun;
    const uint64_t generation = member.generation;
    const std::shared_ptr<StatusProbe> probe = member.probe;
    mutex.unlock();
    const BootTime asked_at = clock.boot_now();
    Result<MemberReport> answer = probe->ask(stop);
    mutex.lock();
    silent_running -= was_silent;
    if (!stop.stop_requested() && !member.forgotten && generation == member.generation) {
      const std::optional<Seen> before = member.answered_once ? std::optional(member.seen) : std::nullopt;
      note(member, std::move(answer), asked_at);
      const Seen after = member.seen;
      mutex.unlock();
      for (const Listener& listener : listeners) listener(member.name.first, member.name.second, before, after);
      mutex.lock();
    }
    member.running = false;
    member.ended = attempt;
    if (!member.forgotten) {
      const auto interval = changing.contains(member.name.first) ? config.changing_interval : config.steady_interval;
      enqueue(self, member.again ? clock.boot_now() : clock.boot_now() + interval);
    }
    member.again = false;
    ended.notify_all();
  }

  void note(Member& member, Result<MemberReport> answer, BootTime asked_at) REQUIRES(mutex) {
    const BootTime now = clock.boot_now();
    if (answer && answer->endpoint != member.name.second)
      answer = fail(Code::kInvalid, "the agent says it is endpoint \"" + answer->endpoint + "\"");
    member.answered_once = true;
    member.seen.attempted_at = now;
    if (answer) {
      if (!member.seen.report || member.seen.report->details != answer->details) member.seen.told_at = now;
      member.seen.report = std::move(*answer);
      member.seen.asked_at = asked_at;
      member.seen.received_at = now;
      member.seen.failures = 0;
      member.seen.error.clear();
    } else {
      ++member.seen.failures;
      member.seen.error = answer.error().message;
    }
  }

  void drop(const MemberPtr& member) REQUIRES(mutex) {
    dequeue(member);
    member->forgotten = true;
    ended.notify_all();
  }
};

WorkerReports::WorkerReports(ReportsConfig config, const Clock& clock, ProbeFactory make_probe)
    : impl_(std::make_unique<Impl>(config, clock, std::move(make_probe))) {}

WorkerReports::~WorkerReports() { stop(); }

void WorkerReports::add_listener(Listener listener) { impl_->listeners.push_back(std::move(listener)); }

void WorkerReports::start() {
  for (size_t i = 0; i < impl_->config.threads; ++i)
    impl_->threads.emplace_back(RoleName("reports"),
                                [impl = impl_.get()](const std::stop_token& stop) { impl->run(stop); });
}

void WorkerReports::stop() {
  for (RoleThread& thread : impl_->threads) thread.request_stop();
  impl_->threads.clear();
}

void WorkerReports::watch(const kube::Key& link, const std::string& endpoint, Target target) {
  MutexLock lock(impl_->mutex);
  MemberPtr& member = impl_->members[{link, endpoint}];
  if (member && same_member(member->target, target) && same_tls(member->target, target)) return;
  const bool known = member && same_member(member->target, target);
  if (!member) {
    member = std::make_shared<Member>();
    member->name = {link, endpoint};
  }
  impl_->dequeue(member);
  if (!known) {
    member->seen = Seen{};
    member->seen.received_at = impl_->clock.boot_now();
    member->answered_once = false;
  }
  ++member->generation;
  member->probe = impl_->make_probe(target);
  member->target = std::move(target);
  impl_->poll_now(member);
  impl_->wake_all();
}

void WorkerReports::forget(const kube::Key& link, const std::string& endpoint) {
  MutexLock lock(impl_->mutex);
  const auto found = impl_->members.find({link, endpoint});
  if (found == impl_->members.end()) return;
  impl_->drop(found->second);
  impl_->members.erase(found);
  impl_->wake_all();
}

void WorkerReports::forget(const kube::Key& link) {
  MutexLock lock(impl_->mutex);
  for (const MemberPtr& member : impl_->members_of(link)) {
    impl_->drop(member);
    impl_->members.erase(member->name);
  }
  impl_->changing.erase(link);
  impl_->wake_all();
}

std::optional<Seen> WorkerReports::latest(const kube::Key& link, const std::string& endpoint) const {
  MutexLock lock(impl_->mutex);
  const auto found = impl_->members.find({link, endpoint});
  if (found == impl_->members.end()) return std::nullopt;
  return found->second->seen;
}

void WorkerReports::set_changing(const kube::Key& link, bool changing) {
  MutexLock lock(impl_->mutex);
  if (!changing) {
    impl_->changing.erase(link);
    return;
  }
  if (!impl_->changing.insert(link).second) return;
  for (const MemberPtr& member : impl_->members_of(link)) impl_->poll_now(member);
  impl_->wake_all();
}

void WorkerReports::refresh(const kube::Key& link) {
  MutexLock lock(impl_->mutex);
  for (const MemberPtr& member : impl_->members_of(link)) impl_->poll_now(member);
  impl_->wake_all();
}

bool WorkerReports::await_refresh(const kube::Key& link, std::chrono::milliseconds limit, const std::stop_token& stop) {
  MutexLock lock(impl_->mutex);
  std::vector<std::pair<MemberPtr, uint64_t>> asked;  // the attempt that counts: the first to begin from now on
  for (const MemberPtr& member : impl_->members_of(link)) {
    asked.emplace_back(member, member->begun + 1);
    impl_->poll_now(member);
  }
  impl_->wake_all();
  return impl_->ended.wait_for(lock, stop, limit, [&] {
    return std::all_of(asked.begin(), asked.end(),
                       [](const auto& one) { return one.first->forgotten || one.first->ended >= one.second; });
  });
}

}  // namespace twinspan::controllers
