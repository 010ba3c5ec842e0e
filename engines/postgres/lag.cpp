#include "engines/postgres/lag.hpp"

namespace twinspan::postgres {
namespace {

constexpr size_t kSamplesMax = 4096;

double seconds_between(BootTime from, BootTime to) { return std::chrono::duration<double>(to - from).count(); }

}  // namespace

double LagMeter::connected(BootTime now, Position upstream_end, Position replayed) {
  while (!ahead_.empty() && ahead_.front().upstream_end <= replayed) {
    current_at_ = ahead_.front().at;
    ahead_.pop_front();
  }
  if (upstream_end <= replayed) {
    current_at_ = now;
    return 0;
  }
  if (ahead_.empty() || ahead_.back().upstream_end < upstream_end) {
    // Full: thin out the middle; the oldest moment is the one that is measured.
    if (ahead_.size() >= kSamplesMax)
      for (size_t i = 1; i + 1 < ahead_.size(); ++i) ahead_.erase(ahead_.begin() + static_cast<std::ptrdiff_t>(i));
    ahead_.push_back({now, upstream_end});
  }
  return seconds_between(ahead_.front().at, now);
}

std::optional<double> LagMeter::disconnected(BootTime now) const {
  if (!ahead_.empty()) return seconds_between(ahead_.front().at, now);
  if (!current_at_) return std::nullopt;
  return seconds_between(*current_at_, now);
}

void LagMeter::reset() {
  ahead_.clear();
  current_at_.reset();
}

void DownstreamLag::measure(BootTime now, Position end, std::vector<Observation::Sender>& senders) {
  std::map<std::string, LagMeter> kept;
  for (Observation::Sender& sender : senders) {
    if (!sender.replayed) continue;
    LagMeter& meter = kept[sender.application] = std::move(meters_[sender.application]);
    sender.lag_seconds = meter.connected(now, end, *sender.replayed);
  }
  for (auto& [name, meter] : meters_) {
    if (kept.contains(name)) continue;
    Observation::Sender& gone = senders.emplace_back();
    gone.application = name;
    gone.state = "lost";
    gone.lag_seconds = meter.disconnected(now);
    kept[name] = std::move(meter);
  }
  meters_ = std::move(kept);
}

}  // namespace twinspan::postgres
