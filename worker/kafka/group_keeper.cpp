#include "worker/kafka/group_keeper.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/log.hpp"

namespace twinspan::worker_kafka {
namespace {

namespace engine = kafka_engine;
using std::chrono::milliseconds;

constexpr milliseconds kRetry{500};
constexpr size_t kLoggedALook = 20;  // the status names all of them

// Positions at other clusters, or of another link, tell nothing of these.
std::string what_memory_is_of(const GroupOrder& order) {
  std::string of = order.link;
  for (const auto* side : {&order.source, &order.target}) {
    of += "\n";
    for (const std::string& broker : side->endpoint.brokers) of += "\n" + broker;
  }
  return of;
}

}  // namespace

void tell_groups(const engine::GroupMemory& memory, BootTime now, GroupLook& look) {
  look.synced = look.active = look.failed = look.waiting = look.not_carried = 0;
  look.oldest_seconds.reset();
  look.troubled.clear();
  for (const auto& [name, known] : memory.groups) {
    if (!known.state) continue;
    switch (*known.state) {
      case GroupState::kSynced: ++look.synced; break;
      case GroupState::kActive:
      case GroupState::kMoved: ++look.active; break;
      case GroupState::kBehind:
      case GroupState::kRefused: ++look.failed; break;
      case GroupState::kWaiting: ++look.waiting; break;
      case GroupState::kNotCarried: ++look.not_carried; break;
    }
    if (known.state != GroupState::kSynced && known.state != GroupState::kWaiting)
      look.troubled.push_back({name, *known.state, known.message});
    if (known.state == GroupState::kActive || known.state == GroupState::kMoved ||
        known.state == GroupState::kNotCarried)
      continue;
    const std::chrono::duration<double> age = now - known.in_sync_at.value_or(known.known_since);
    look.oldest_seconds = std::max(look.oldest_seconds.value_or(0), age.count());
  }
}

struct GroupKeeper::Session {
  GroupOrder order;
  std::optional<kafka::Cluster> source, target;
  std::optional<engine::GroupWish> wish;
  engine::GroupMemory memory;
  GroupLook look;
  std::string wrong;  // what cannot be tried at all
  int failures = 0;   // looks in a row of which a side did not answer at all

  // Of the order that comes now.
  void begin(GroupOrder next, const engine::OffsetBook& book) {
    if (what_memory_is_of(next) != what_memory_is_of(order)) memory = {};
    order = std::move(next);
    look = {};
    look.order = order;
    wrong.clear();
    failures = 0;
    source.reset();
    target.reset();
    wish.reset();
    auto source_access = access_of(order.source), target_access = access_of(order.target);
    auto choice = engine::NameChoice::parse(order.groups.include, order.groups.exclude, "groups", "a group");
    if (!source_access) {
      wrong = "source: " + source_access.error().message;
    } else if (!target_access) {
      wrong = "target: " + target_access.error().message;
    } else if (!choice) {
      wrong = "spec.kafka." + choice.error().message;
    } else {
      source.emplace(std::move(*source_access));
      target.emplace(std::move(*target_access));
      wish = engine::GroupWish{
          std::move(*choice),
          {order.link, order.partitions,
           [&book](const engine::PartitionName& name, int64_t offset) { return book.translate(name, offset); }}};
    }
  }
  void hang_up() {
    if (source) source->hang_up();
    if (target) target->hang_up();
  }
};

GroupKeeper::GroupKeeper(const Clock& clock, const engine::OffsetBook& book, std::function<void()> on_look)
    : clock_(clock), book_(book), on_look_(std::move(on_look)), look_(std::make_shared<const GroupLook>()) {}

void GroupKeeper::want(std::optional<GroupOrder> order) {
  {
    MutexLock lock(mutex_);
    if (order == wanted_) return;
    wanted_ = std::move(order);
    if (!wanted_) look_ = std::make_shared<const GroupLook>();  // old by the time that it is wanted again
    look_stop_.request_stop();
    look_stop_ = std::stop_source();
  }
  changed_.raise();
  thread_.start([this](const std::stop_token& stop) { run(stop); });
}

std::shared_ptr<const GroupLook> GroupKeeper::look() const {
  MutexLock lock(mutex_);
  return look_;
}

void GroupKeeper::stop() {
  {
    MutexLock lock(mutex_);
    look_stop_.request_stop();
  }
  thread_.stop();
}

void GroupKeeper::publish(GroupLook look) {
  {
    MutexLock lock(mutex_);
    if (wanted_ != look.order) return;  // of an order that was left meanwhile
    look_ = std::make_shared<const GroupLook>(std::move(look));
  }
  on_look_();
}

void GroupKeeper::run(const std::stop_token& stop) {
  std::optional<Session> session;
  while (!stop.stop_requested()) {
    std::optional<GroupOrder> order;
    std::stop_token look_stop;
    {
      MutexLock lock(mutex_);
      order = wanted_;
      look_stop = look_stop_.get_token();
    }
    if (!order) {
      if (session) session->hang_up(), session->look.order.reset();
      changed_.wait(std::chrono::hours(1), stop);
      continue;
    }
    if (!session) session.emplace();
    if (session->look.order != order) session->begin(std::move(*order), book_);
    changed_.wait(look_once(*session, look_stop), stop);
  }
}

// How long to wait before the next look.
milliseconds GroupKeeper::look_once(Session& session, const std::stop_token& stop) {
  GroupLook& look = session.look;
  const milliseconds every = std::chrono::seconds(session.order.groups.sync_interval_seconds);
  if (!session.wish) {
    look.trouble = session.wrong;
    publish(look);
    return every;
  }
  const BootTime begun = clock_.boot_now();
  auto looked = engine::carry_groups(*session.source, *session.target, *session.wish, session.memory, clock_, stop);
  if (stop.stop_requested()) {
    session.hang_up();  // an answer that comes yet would be taken for another one's
    return milliseconds{0};
  }
  const BootTime now = clock_.boot_now();
  if (!looked.trouble.empty() && looked.trouble != look.trouble)
    log::warn("the look at consumer groups was not whole", {{"error", looked.trouble}});
  if (looked.trouble.empty() && !look.trouble.empty()) log::info("the look at consumer groups is whole again", {});
  const auto before = std::exchange(look.troubled, {});
  look.trouble = std::move(looked.trouble);
  tell_groups(session.memory, now, look);
  if (look.trouble.empty()) look.looked_at = now;
  size_t logged = 0;
  for (const GroupTrouble& one : look.troubled) {
    const auto was = std::ranges::lower_bound(before, one.group, {}, &GroupTrouble::group);
    if ((was == before.end() || was->group != one.group || was->state != one.state) && ++logged <= kLoggedALook)
      log::warn("a group's positions are not carried",
                {{"group", one.group}, {"state", std::string(to_string(one.state))}, {"reason", one.message}});
  }
  publish(look);
  if (looked.silent) {
    (*looked.silent == engine::Side::kSource ? session.source : session.target)->hang_up();
    return std::min(every, kRetry * (1 << std::min(session.failures++, 4)));
  }
  session.failures = 0;
  return std::max(every - std::chrono::floor<milliseconds>(now - begun), every / 10);
}

}  // namespace twinspan::worker_kafka
