#include "kafka/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twinspan::kafka {
namespace {

// Dialling says the address by itself.
std::string named(const Address& address, const std::string& message) {
  const std::string name = fmt::format("{}:{}", address.host, address.port);
  return message.find(name) == message.npos ? fmt::format("{}: {}", name, message) : message;
}

}  // namespace

Result<Channel*> Cluster::channel(const Line& line, const std::stop_token& stop) {
  if (const auto found = channels_.find(line); found != channels_.end()) {
    if (!found->second.is_worn(std::chrono::steady_clock::now())) return &found->second;
    channels_.erase(found);
  }
  Address address;
  if (line.broker != kAnyBroker) {
    const auto known = addresses_.find(line.broker);
    if (known == addresses_.end())
      return fail(Code::kUnavailable, fmt::format("broker {}: no address is known of it", line.broker));
    address = known->second;
  } else {
    if (access_.brokers.empty()) return fail(Code::kInvalid, "brokers: empty; expected HOST:PORT");
    // Those that were given, then those that were learned.
    const size_t turn = next_++ % (access_.brokers.size() + addresses_.size());
    address = turn < access_.brokers.size()
                  ? access_.brokers[turn]
                  : std::next(addresses_.begin(), static_cast<std::ptrdiff_t>(turn - access_.brokers.size()))->second;
  }
  auto opened = Channel::open(address.host, address.port, access_, stop);
  if (!opened) return fail(opened.error().code, named(address, opened.error().message));
  peers_[line] = std::move(address);
  return &channels_.emplace(line, std::move(*opened)).first->second;
}

void Cluster::send(uint64_t ticket, int32_t broker, int line, AnyRequest request, const std::stop_token& stop) {
  const auto open = channel({broker, line}, stop);
  Status sent = open ? (*open)->send(ticket, std::move(request)) : Status(std::unexpected(open.error()));
  if (!sent) failed_.push_back({ticket, std::unexpected(sent.error())});
}

Result<Answer> Cluster::call(int32_t broker, AnyRequest request, const std::stop_token& stop) {
  constexpr uint64_t kTicket = ~uint64_t{0};
  send(kTicket, broker, 0, std::move(request), stop);
  const SteadyTime deadline = std::chrono::steady_clock::now() + access_.answer_patience;
  while (true) {
    for (Arrived& one : advance())
      if (one.ticket == kTicket) return std::move(one.answer);
    if (stop.stop_requested()) return fail(Code::kCancelled, "cancelled");
    if (std::chrono::steady_clock::now() >= deadline) {
      hang_up();
      return fail(Code::kTimeout, "no answer in time");
    }
    std::vector<pollfd> fds;
    watch(fds);
    poll(fds.data(), fds.size(), 100);
  }
}

void Cluster::hang_up() {
  channels_.clear();
  peers_.clear();
  failed_.clear();
}

void Cluster::watch(std::vector<pollfd>& fds) const {
  for (const auto& [line, channel] : channels_) fds.push_back({channel.fd(), channel.awaits(), 0});
}

std::optional<SteadyTime> Cluster::wakes_at() const {
  std::optional<SteadyTime> first;
  if (!failed_.empty()) first = SteadyTime::min();
  for (const auto& [line, channel] : channels_)
    if (const auto muted = channel.muted_until(); muted && (!first || *muted < *first)) first = muted;
  return first;
}

void Cluster::learn(const AnyAnswer& answer) {
  if (const auto* metadata = std::get_if<MetadataResponse>(&answer)) {
    for (const auto& broker : metadata->brokers) addresses_[broker.id] = {broker.host, broker.port};
  } else if (const auto* coordinator = std::get_if<FindCoordinatorResponse>(&answer)) {
    if (coordinator->error == ErrorCode::kNone) addresses_[coordinator->node] = {coordinator->host, coordinator->port};
  } else if (const auto* many = std::get_if<FindCoordinatorsResponse>(&answer)) {
    for (const auto& one : many->coordinators)
      if (one.error == ErrorCode::kNone) addresses_[one.node] = {one.host, one.port};
  }
}

void Cluster::lose(std::map<Line, Channel>::iterator at, const Error& why) {
  const auto peer = peers_.extract(at->first);
  Error told = why;
  if (peer) told.message = named(peer.mapped(), why.message);
  for (const uint64_t ticket : at->second.unanswered()) failed_.push_back({ticket, std::unexpected(told)});
  channels_.erase(at);
}

std::vector<Arrived> Cluster::advance() {
  const SteadyTime now = std::chrono::steady_clock::now();
  std::vector<Arrived> arrived;
  for (auto at = channels_.begin(); at != channels_.end();) {
    const auto one = at++;
    if (auto done = one->second.advance(now, arrived); !done) lose(one, done.error());
  }
  for (const Arrived& one : arrived)
    if (one.answer) learn(one.answer->message);
  std::ranges::move(failed_, std::back_inserter(arrived));
  failed_.clear();
  return arrived;
}

}  // namespace twinspan::kafka
