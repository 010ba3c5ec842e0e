#include "engines/kafka/driver.hpp"

#include <poll.h>

#include <algorithm>

#include "core/log.hpp"
#include "kafka/cluster.hpp"

namespace twinspan::kafka_engine {
namespace {

constexpr Time kStopSeenWithin{100};

}  // namespace

Status run(const DriverOptions& options, const std::stop_token& stop, LaneStatus& status) {
  kafka::Cluster source(options.source), target(options.target);
  Lane lane(options.lane);
  const auto begin = std::chrono::steady_clock::now();
  const auto now = [&] { return std::chrono::duration_cast<Time>(std::chrono::steady_clock::now() - begin); };
  std::string doubt;
  // What a lane has given up lies in no connection's queue any more once the lane is out of its call.
  const auto hang_up = [&] {
    if (lane.take_hang_up(Side::kSource)) source.hang_up();
    if (lane.take_hang_up(Side::kTarget)) target.hang_up();
  };
  const auto give = [&](kafka::Cluster& side) {
    for (kafka::Arrived& one : side.advance()) {
      if (one.answer) {
        lane.answered(now(), one.ticket, std::move(*one.answer));
      } else {
        lane.lost(now(), one.ticket, one.answer.error().message);
      }
      hang_up();
    }
  };
  // Connecting ends early once `stop` is set: whatever was sent before is still answered.
  while (!lane.over()) {
    if (stop.stop_requested() || (options.until_end && lane.at_end())) lane.stop();
    lane.tick(now());
    hang_up();
    for (Ask& one : lane.take()) {
      kafka::Cluster& side = one.side == Side::kSource ? source : target;
      side.send(one.ticket, one.broker, one.line, std::move(one.request), {});
    }
    if (lane.status().last_doubt != doubt) {
      doubt = lane.status().last_doubt;
      log::warn("a doubt or a delay", {{"reason", doubt}, {"begun_anew", lane.status().begun_anew}});
    }
    if (lane.over()) break;
    std::vector<pollfd> fds;
    source.watch(fds);
    target.watch(fds);
    Time wait = std::clamp(lane.wakes_at() - now(), Time{0}, kStopSeenWithin);
    for (const kafka::Cluster* side : {&source, &target})
      if (const auto wakes = side->wakes_at()) {
        const auto at = std::chrono::steady_clock::now();
        wait = *wakes <= at ? Time{0} : std::min(wait, std::chrono::ceil<Time>(*wakes - at));
      }
    poll(fds.data(), fds.size(), static_cast<int>(wait.count()));
    give(source);
    give(target);
  }
  status = lane.status();
  if (lane.failure()) return std::unexpected(*lane.failure());
  return {};
}

}  // namespace twinspan::kafka_engine
