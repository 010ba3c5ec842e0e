#include "network.hpp"

namespace twinspan::simulation {

int64_t Network::uniform(int64_t least, int64_t most) {
  return least + static_cast<int64_t>(random_() % static_cast<uint64_t>(most - least + 1));
}

bool Network::chance(double p) { return static_cast<double>(random_() >> 11) * 0x1.0p-53 < p; }

void Network::at(Micros delay, std::function<void()> what) { events_.push({now_ + delay, ++order_, std::move(what)}); }

bool Network::next(Micros until) {
  if (events_.empty() || events_.top().when > until) return false;
  Event event = std::move(const_cast<Event&>(events_.top()));
  events_.pop();
  now_ = event.when;
  event.what();
  return true;
}

bool Network::is_cut(const std::string& from, const std::string& to) const {
  if (cut_until_.empty()) return false;
  const auto found = cut_until_.find({from, to});
  return found != cut_until_.end() && now_ < found->second;
}

Micros Network::latency() { return rough_ && chance(0.02) ? uniform(50, 2500) * kMs : uniform(200, 8000); }

void Network::send(const std::string& from, const std::string& to, std::function<void()> arrive, Micros extra) {
  if (is_cut(from, to) || (rough_ && chance(0.02))) return;
  if (rough_ && chance(0.01)) at(latency() + extra, arrive);
  at(latency() + extra, std::move(arrive));
}

void Network::cut(const std::string& from, const std::string& to, Micros duration) {
  Micros& until = cut_until_[{from, to}];
  until = std::max(until, now_ + duration);
}

void Network::mend() {
  rough_ = false;
  cut_until_.clear();
}

}  // namespace twinspan::simulation
