#include "worker/postgres/restart_turn.hpp"

namespace twinspan::worker {
namespace {

// Longer than it takes until the others know that somebody's PostgreSQL is down.
constexpr std::chrono::seconds kEach{3};
constexpr std::chrono::seconds kLongest{60};

}  // namespace

bool RestartTurn::has(const Desired& desired, const std::string& primary, bool followed, BootTime now) {
  if (!desired.attempt.empty()) return true;
  const std::string& self = desired.settings.endpoint;
  int before = 0;
  bool all_stream = self != primary || followed;
  for (const auto& [name, from] : desired.froms) {
    if (name == self || name == primary) continue;
    if (self == primary || name < self) ++before;
    const auto streams = desired.streams.find(name);
    all_stream = all_stream && streams != desired.streams.end() && streams->second;
  }
  if (!waits_since_) waits_since_ = now;
  if (!all_stream) all_stream_since_.reset();
  if (all_stream && !all_stream_since_) all_stream_since_ = now;
  return (all_stream_since_ && now - *all_stream_since_ >= before * kEach) ||
         now - *waits_since_ >= kLongest + before * kEach;
}

void RestartTurn::reset() {
  waits_since_.reset();
  all_stream_since_.reset();
}

}  // namespace twinspan::worker
