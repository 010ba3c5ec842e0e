#include "worker/kafka/topic_keeper.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/log.hpp"

namespace twinspan::worker_kafka {
namespace {

namespace engine = kafka_engine;
using std::chrono::milliseconds;

constexpr milliseconds kEvery{3000}, kRetry{500};  // new topics are followed within 5 s

std::string what_memory_is_of(const TopicOrder& order) {
  std::string of = order.prefix + "\n" + order.state_topic;
  for (const auto* side : {&order.source, &order.target})
    for (const std::string& broker : side->endpoint.brokers) of += "\n" + broker;
  return of;
}

}  // namespace

struct TopicKeeper::Session {
  TopicOrder order;
  std::optional<kafka::Cluster> source, target;
  std::optional<engine::TopicWish> wish;
  engine::TopicMemory memory;
  TopicLook look;
  std::string wrong;  // what cannot be tried at all

  // Of the order that comes now.
  void begin(TopicOrder next) {
    if (what_memory_is_of(next) != what_memory_is_of(order)) memory = {};
    order = std::move(next);
    look = {};
    look.order = order;
    wrong.clear();
    source.reset();
    target.reset();
    wish.reset();
    auto source_access = access_of(order.source), target_access = access_of(order.target);
    auto choice = engine::TopicChoice::parse(order.topics.include, order.topics.exclude);
    if (!source_access) {
      look.source = {1, source_access.error().message};
    } else if (!target_access) {
      look.target = {1, target_access.error().message};
    } else if (!choice) {
      wrong = "spec.kafka." + choice.error().message;
    } else {
      source.emplace(std::move(*source_access));
      target.emplace(std::move(*target_access));
      wish = engine::TopicWish{std::move(*choice), order.prefix, order.state_topic, {}};
      if (order.replication_factor) wish->replication_factor = static_cast<int16_t>(*order.replication_factor);
    }
  }
};

TopicKeeper::TopicKeeper(const Clock& clock, std::function<void()> on_look)
    : clock_(clock), on_look_(std::move(on_look)), look_(std::make_shared<const TopicLook>()) {}

void TopicKeeper::want(std::optional<TopicOrder> order) {
  {
    MutexLock lock(mutex_);
    if (order == wanted_) return;
    wanted_ = std::move(order);
    if (!wanted_) look_ = std::make_shared<const TopicLook>();  // old by the time that it is wanted again
    look_stop_.request_stop();
    look_stop_ = std::stop_source();
  }
  changed_.raise();
  thread_.start([this](const std::stop_token& stop) { run(stop); });
}

std::shared_ptr<const TopicLook> TopicKeeper::look() const {
  MutexLock lock(mutex_);
  return look_;
}

void TopicKeeper::stop() {
  {
    MutexLock lock(mutex_);
    look_stop_.request_stop();
  }
  thread_.stop();
}

void TopicKeeper::publish(TopicLook look) {
  {
    MutexLock lock(mutex_);
    if (wanted_ != look.order) return;  // of an order that was left meanwhile
    look_ = std::make_shared<const TopicLook>(std::move(look));
  }
  on_look_();
}

void TopicKeeper::run(const std::stop_token& stop) {
  std::optional<Session> session;
  milliseconds wait{0};
  while (!stop.stop_requested()) {
    std::optional<TopicOrder> order;
    std::stop_token look_stop;
    {
      MutexLock lock(mutex_);
      order = wanted_;
      look_stop = look_stop_.get_token();
    }
    if (!order) {
      if (session) session->source.reset(), session->target.reset(), session->look.order.reset();
      changed_.wait(std::chrono::hours(1), stop);
      continue;
    }
    if (!session) session.emplace();
    if (session->look.order != order) session->begin(std::move(*order));
    wait = look_once(*session, look_stop);
    changed_.wait(wait, stop);
  }
}

// How long to wait before the next look.
milliseconds TopicKeeper::look_once(Session& session, const std::stop_token& stop) {
  TopicLook& look = session.look;
  if (!session.wish) {
    if (!session.wrong.empty()) {
      look.prepared.emplace();
      look.prepared->stall = engine::Stall{"SpecRefused", session.wrong};
    }
    publish(look);
    return kEvery;
  }
  auto prepared = engine::prepare_topics(*session.source, *session.target, *session.wish, session.memory, stop);
  if (stop.stop_requested()) return milliseconds{0};
  if (!prepared) {
    const bool at_source = prepared.error().side == engine::Side::kSource;
    (at_source ? session.source : session.target)->hang_up();
    EndpointTrouble& trouble = at_source ? look.source : look.target;
    ++trouble.failures;
    if (trouble.message != prepared.error().error.message)
      log::warn("the topics cannot be looked at",
                {{"side", at_source ? "source" : "target"}, {"error", prepared.error().error.message}});
    trouble.message = prepared.error().error.message;
    look.source_answers = !at_source;  // it was asked first
    if (!at_source) look.source = {};
    publish(look);
    return std::min(kEvery, kRetry * (1 << std::min(trouble.failures - 1, 4)));
  }
  look.source = look.target = {};
  look.source_answers = true;
  const auto before = look.prepared ? look.prepared->troubled : std::vector<engine::TopicTrouble>{};
  for (const engine::TopicTrouble& one : prepared->troubled)
    if (std::ranges::find(before, one) == before.end())
      log::warn("a topic is not carried", {{"topic", one.topic}, {"state", one.state}, {"reason", one.message}});
  look.prepared = std::move(*prepared);
  if (!look.prepared->stall) {
    auto ends = engine::stable_ends(*session.source, look.prepared->leaders, stop);
    if (ends) {
      look.ends = std::move(*ends);
      look.ends_at = clock_.boot_now();
    } else {
      session.source->hang_up();
    }
  }
  publish(look);
  return kEvery;
}

}  // namespace twinspan::worker_kafka
