// Time, chance and messages. Everything that happens is an event on one line of time; the same seed is the same line.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace twinspan::simulation {

using Micros = int64_t;
constexpr Micros kMs = 1000;
constexpr Micros kSecond = 1'000'000;

class Network {
 public:
  explicit Network(uint64_t seed) : random_(seed) {}

  Micros now() const { return now_; }
  int64_t uniform(int64_t least, int64_t most);
  bool chance(double p);
  void at(Micros delay, std::function<void()> what);
  bool next(Micros until);  // runs one event; false: none is left before `until`

  // One way: delayed, and while it is rough lost, late or twice now and then.
  void send(const std::string& from, const std::string& to, std::function<void()> arrive, Micros extra = 0);
  void cut(const std::string& from, const std::string& to, Micros duration);
  bool connected(const std::string& a, const std::string& b) const { return !is_cut(a, b) && !is_cut(b, a); }
  void mend();  // from now on nothing is cut or lost

 private:
  struct Event {
    Micros when;
    uint64_t order;
    std::function<void()> what;
    bool operator<(const Event& other) const { return std::tie(other.when, other.order) < std::tie(when, order); }
  };
  bool is_cut(const std::string& from, const std::string& to) const;
  Micros latency();

  std::mt19937_64 random_;
  std::priority_queue<Event> events_;
  std::map<std::pair<std::string, std::string>, Micros> cut_until_;
  uint64_t order_ = 0;
  Micros now_ = 0;
  bool rough_ = true;
};

}  // namespace twinspan::simulation
