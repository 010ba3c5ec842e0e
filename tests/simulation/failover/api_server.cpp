#include "api_server.hpp"

#include <algorithm>

namespace twinspan::simulation {
namespace {

template <class T>
bool store(ApiState& state, Stored<T>& slot, int64_t precondition, T object) {
  if (precondition != slot.version) return false;
  slot.version = ++state.version;
  slot.object = std::make_shared<const T>(std::move(object));
  return true;
}

}  // namespace

void ApiServer::add_reader(const std::string& address, std::vector<Kind> kinds, Reader reader) {
  subscribers_[address] = {std::move(kinds), std::move(reader)};
  for (const Kind kind : subscribers_[address].kinds) list(address, kind);
}

void ApiServer::remove_reader(const std::string& address) { subscribers_.erase(address); }

void ApiServer::deliver(const std::string& address, Kind kind, bool listed, Micros asked_at) {
  const auto lag = lags_.find({address, kind});
  const Micros behind = lag != lags_.end() && network_.now() < lag->second.until ? lag->second.behind : 0;
  const auto arrive = [this, address, arrival = Arrival{kind, state_, listed, asked_at}, life = life_] {
    const auto reader = subscribers_.find(address);
    if (life == life_ && reader != subscribers_.end()) reader->second.reader(arrival);
  };
  network_.send("api", address, arrive, behind);
}

void ApiServer::list(const std::string& address, Kind kind) {
  request(address, [this, address, kind, asked = network_.now()] { deliver(address, kind, true, asked); });
}

void ApiServer::changed(Kind kind) {
  for (const auto& [address, one] : subscribers_)
    if (std::find(one.kinds.begin(), one.kinds.end(), kind) != one.kinds.end())
      deliver(address, kind, false, network_.now());
}

void ApiServer::request(const std::string& from, std::function<void()> at_server) {
  network_.send(from, "api", [this, life = life_, at_server = std::move(at_server)] {
    if (up_ && life == life_) at_server();
  });
}

void ApiServer::answer(const std::string& to, std::function<void()> at_client) {
  network_.send("api", to, [this, life = life_, at_client = std::move(at_client)] {
    if (life == life_) at_client();
  });
}

bool ApiServer::put(int64_t precondition, LinkObject link) {
  if (!store(state_, state_.link, precondition, std::move(link))) return false;
  changed(Kind::kLink);
  return true;
}

bool ApiServer::put(int64_t precondition, PolicyObject policy) {
  if (!store(state_, state_.policy, precondition, std::move(policy))) return false;
  changed(Kind::kPolicy);
  return true;
}

bool ApiServer::put(int64_t precondition, LeaseObject lease) {
  lease.record.version = std::to_string(state_.version + 1);
  if (!store(state_, state_.lease, precondition, std::move(lease))) return false;
  changed(Kind::kLease);
  return true;
}

void ApiServer::set_claim(const std::string& endpoint, Claim claim) {
  Claims claims = state_.claims.object ? *state_.claims.object : Claims{};
  claims[endpoint] = claim;
  store(state_, state_.claims, state_.claims.version, std::move(claims));
  changed(Kind::kClaims);
}

void ApiServer::remove(Kind kind) {
  const int64_t version = ++state_.version;
  switch (kind) {
    case Kind::kLink: state_.link = {version, nullptr}; break;
    case Kind::kPolicy: state_.policy = {version, nullptr}; break;
    case Kind::kLease: state_.lease = {version, nullptr}; break;
    case Kind::kClaims: state_.claims = {version, nullptr}; break;
  }
  changed(kind);
}

void ApiServer::set_up(bool up, bool restarted) {
  up_ = up;
  if (restarted) ++life_;
}

void ApiServer::lag(const std::string& address, Kind kind, Micros behind, Micros duration) {
  lags_[{address, kind}] = {behind, network_.now() + duration};
}

bool ApiServer::restore(size_t snapshot) {
  if (up_ || snapshot >= snapshots_.size()) return false;
  state_ = snapshots_[snapshot];
  snapshots_.resize(snapshot + 1);
  ++life_;
  restored_ = true;
  return true;
}

void ApiServer::mend() {
  lags_.clear();
  up_ = true;
}

}  // namespace twinspan::simulation
