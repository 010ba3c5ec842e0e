#include "worker/kafka/carrier.hpp"

#include "core/log.hpp"

namespace twinspan::worker_kafka {

namespace engine = kafka_engine;

void add_former(const engine::LaneStatus& sums, engine::LaneStatus& lane) {
  for (const auto& [name, before] : sums.partitions) {
    const auto [found, gone] = lane.partitions.emplace(name, before);  // partitions that are carried no more stay
    if (!gone) found->second.add(before);
  }
  lane.commits += sums.commits;
  lane.begun_anew += sums.begun_anew;
}

Carrier::Carrier(std::string holder, const Clock& clock, std::function<void()> on_news)
    : holder_(std::move(holder)),
      clock_(clock),
      on_news_(std::move(on_news)),
      look_(std::make_shared<const CarrierLook>()) {}

void Carrier::want(std::optional<LaneOrder> order) {
  {
    MutexLock lock(mutex_);
    if (order ? wanted_ && *order == *wanted_ : !wanted_) return;
    wanted_ = order ? std::make_shared<const LaneOrder>(std::move(*order)) : nullptr;
    lane_stop_.request_stop();
    lane_stop_ = std::stop_source();
  }
  changed_.raise();
  thread_.start([this](const std::stop_token& stop) { run(stop); });
}

std::shared_ptr<const CarrierLook> Carrier::look() const {
  MutexLock lock(mutex_);
  return look_;
}

bool Carrier::idle() const {
  MutexLock lock(mutex_);
  return !wanted_ && !look_->running;
}

void Carrier::stop() {
  {
    MutexLock lock(mutex_);
    lane_stop_.request_stop();
  }
  thread_.stop();
}

void Carrier::publish(CarrierLook look) {
  {
    MutexLock lock(mutex_);
    look_ = std::make_shared<const CarrierLook>(std::move(look));
  }
  on_news_();
}

void Carrier::run(const std::stop_token& stop) {
  std::shared_ptr<const LaneOrder> done;  // that a lane ended of
  while (!stop.stop_requested()) {
    std::shared_ptr<const LaneOrder> order;
    std::stop_token lane_stop;
    {
      MutexLock lock(mutex_);
      order = wanted_;
      lane_stop = lane_stop_.get_token();
    }
    if (!order || order == done) {
      changed_.wait(std::chrono::hours(1), stop);
      continue;
    }
    carry(order, lane_stop);
    done = order;
  }
}

void Carrier::carry(const std::shared_ptr<const LaneOrder>& order, const std::stop_token& stop) {
  CarrierLook look{.order = order, .running = true, .lane = {}, .source = {}, .target = {}, .told_at = {}, .ended = {}};
  const auto source = access_of(order->source), target = access_of(order->target);
  auto settings = lane_settings(order->spec);
  if (!source || !target || !settings) {
    look.running = false;
    look.ended = !source ? source.error() : !target ? target.error() : settings.error();
    return publish(std::move(look));
  }
  settings->partitions = order->partitions;
  settings->holder = order->spec.uid + "/" + holder_;
  settings->book = &book_;
  engine::DriverOptions options{.source = *source, .target = *target, .lane = std::move(*settings)};
  options.tell = [&](const engine::DriverReport& said) {
    look.lane = said.lane;
    add_former(former_, look.lane);
    look.source = said.source;
    look.target = said.target;
    look.told_at = clock_.boot_now();
    publish(look);
  };
  log::info("the lane begins", {{"partitions", order->partitions.size()}, {"attempt", order->attempt}});
  publish(look);
  engine::LaneStatus status;
  const Status ended = engine::run(options, stop, status);
  log::info("the lane ended", {{"commits", status.commits}, {"error", ended ? "" : ended.error().message}});
  add_former(former_, status);
  former_ = std::move(status);
  look.running = false;
  look.lane.following = false;
  if (!ended) look.ended = ended.error();
  publish(std::move(look));
}

}  // namespace twinspan::worker_kafka
