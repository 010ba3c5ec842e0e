#include "engines/kafka/driver.hpp"

#include <poll.h>

#include <algorithm>

#include "core/log.hpp"
#include "kafka/cluster.hpp"

namespace twinspan::kafka_engine {
namespace {

using std::chrono::steady_clock;

constexpr Time kStopSeenWithin{100}, kToldEvery{500};

// One side's connections, what was asked on them and how it went.
struct Way {
  explicit Way(const kafka::Access& access) : cluster(access) {}

  void send(Ask& one, const std::stop_token& stop) {
    asked[one.ticket] = steady_clock::now();
    cluster.send(one.ticket, one.broker, one.line, std::move(one.request), stop);
  }
  std::vector<kafka::Arrived> advance() {
    std::vector<kafka::Arrived> arrived = cluster.advance();
    const kafka::Arrived* failed = nullptr;
    for (const kafka::Arrived& one : arrived) {
      asked.erase(one.ticket);
      if (one.answer) {
        health.failures = 0;
        health.answered_at = steady_clock::now();
      } else {
        failed = &one;
      }
    }
    // Whatever was asked on a connection fails with it, which is one failure.
    if (failed) note(failed->answer.error().message);
    return arrived;
  }
  void hang_up(Time patience) {
    const auto overdue = steady_clock::now() - patience;
    if (std::ranges::any_of(asked, [&](const auto& one) { return one.second <= overdue; })) note("no answer in time");
    asked.clear();
    cluster.hang_up();
  }
  void note(const std::string& error) {
    ++health.failures;
    health.last_error = error;
  }

  kafka::Cluster cluster;
  SideHealth health;
  std::map<uint64_t, steady_clock::time_point> asked;  // by ticket
};

}  // namespace

Status run(const DriverOptions& options, const std::stop_token& stop, LaneStatus& status) {
  Way source(options.source), target(options.target);
  Lane lane(options.lane);
  const auto begin = steady_clock::now();
  const auto now = [&] { return std::chrono::duration_cast<Time>(steady_clock::now() - begin); };
  Time tell_at{0};
  const auto tell = [&] {
    if (options.tell) options.tell({lane.status(), source.health, target.health});
    tell_at = now() + kToldEvery;
  };
  std::string doubt;
  // What a lane has given up lies in no connection's queue any more once the lane is out of its call.
  const auto hang_up = [&] {
    if (lane.take_hang_up(Side::kSource))
      source.hang_up(options.lane.source_request_timeout.value_or(options.lane.request_timeout));
    if (lane.take_hang_up(Side::kTarget)) target.hang_up(options.lane.request_timeout);
  };
  const auto give = [&](Way& side) {
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
    for (Ask& one : lane.take()) (one.side == Side::kSource ? source : target).send(one, stop);
    if (lane.status().last_doubt != doubt) {
      doubt = lane.status().last_doubt;
      log::warn("a doubt or a delay", {{"reason", doubt}, {"begun_anew", lane.status().begun_anew}});
    }
    if (lane.over()) break;
    if (now() >= tell_at) tell();
    std::vector<pollfd> fds;
    source.cluster.watch(fds);
    target.cluster.watch(fds);
    Time wait = std::clamp(lane.wakes_at() - now(), Time{0}, kStopSeenWithin);
    for (const Way* side : {&source, &target})
      if (const auto wakes = side->cluster.wakes_at()) {
        const auto at = steady_clock::now();
        wait = *wakes <= at ? Time{0} : std::min(wait, std::chrono::ceil<Time>(*wakes - at));
      }
    poll(fds.data(), fds.size(), static_cast<int>(wait.count()));
    give(source);
    give(target);
  }
  status = lane.status();
  tell();
  if (lane.failure()) return std::unexpected(*lane.failure());
  return {};
}

}  // namespace twinspan::kafka_engine
