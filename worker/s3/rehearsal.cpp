#include "worker/s3/rehearsal.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/log.hpp"
#include "core/wait.hpp"
#include "engines/s3/state_objects.hpp"
#include "worker/s3/connection.hpp"

namespace twinspan::worker_s3 {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr milliseconds kFirstLook{20}, kLongestPause{500};
constexpr std::chrono::seconds kMargin{60};

void await(const std::string& key, const std::string& body, const std::vector<RehearsalTarget>& targets,
           std::vector<Arrival>& arrivals, milliseconds patience, const Clock& clock, const std::stop_token& stop) {
  const BootTime began = clock.boot_now();
  milliseconds pause = kFirstLook;
  for (size_t left = targets.size(); left > 0 && clock.boot_now() - began < patience;) {
    left = 0;
    for (size_t i = 0; i < targets.size(); ++i) {
      if (arrivals[i].took) continue;
      const s3::Side& side = targets[i].side;
      const auto seen = s3::read_state(side.bucket, side.prefix + key, stop);
      if (seen && *seen == body) {
        arrivals[i].took = duration_cast<milliseconds>(clock.boot_now() - began);
        arrivals[i].error.clear();
        continue;
      }
      ++left;
      arrivals[i].error = seen || seen.error().code == Code::kNotFound
                              ? fmt::format("it did not arrive within {} s", patience.count() / 1000)
                              : seen.error().message;
    }
    if (left == 0 || !wait_for(pause, stop)) return;
    pause = std::min(pause * 3 / 2, kLongestPause);
  }
}

void remove_at(const s3::Side& side, const std::string& key, std::string& error, const std::stop_token& stop) {
  const Status removed = side.bucket.remove(side.prefix + key, stop);
  if (!removed && removed.error().code != Code::kNotFound && error.empty())
    error = fmt::format("{} could not be removed again: {}", side.prefix + key, removed.error().message);
}

}  // namespace

std::string rehearsal_key(const std::string& ns, const std::string& link) {
  return fmt::format("twinspan-drill/{}-{}", ns, link);
}

std::vector<Arrival> rehearse(const std::string& key, const std::string& body, const s3::Side& primary,
                              const std::vector<RehearsalTarget>& targets, RehearsalTimes times, const Clock& clock,
                              const std::stop_token& stop) {
  std::vector<Arrival> arrivals;
  for (const RehearsalTarget& target : targets) arrivals.push_back({target.endpoint, std::nullopt, ""});
  const auto written = primary.bucket.put({primary.prefix + key}, body, stop);
  if (!written) {
    for (Arrival& one : arrivals) one.error = "the primary did not take it: " + written.error().message;
    return arrivals;
  }
  await(key, body, targets, arrivals, times.patience, clock, stop);
  std::string left_at_primary;
  remove_at(primary, key, left_at_primary, stop);
  for (size_t i = 0; i < targets.size(); ++i) remove_at(targets[i].side, key, arrivals[i].error, stop);
  wait_for(times.late, stop);
  for (size_t i = 0; i < targets.size(); ++i) {
    const s3::Side& side = targets[i].side;
    if (side.bucket.head(side.prefix + key, stop)) remove_at(side, key, arrivals[i].error, stop);
    if (arrivals[i].error.empty()) arrivals[i].error = left_at_primary;
  }
  return arrivals;
}

void Rehearsals::apply(const api::ReplicationLink& link, const std::vector<RouteSpec>& routes) {
  const auto& asked = link.status.rehearsal;
  const std::string wanted = asked && !routes.empty() ? asked->requested_at : "";
  if (const auto known = report(); wanted == (known ? known->requested_at : "")) return;
  thread_.stop();  // requests of the one before end at once
  MutexLock lock(mutex_);
  report_.reset();
  if (wanted.empty()) return;
  report_ = RehearsalReport{wanted, false, {}};
  thread_.start([this, routes, wanted](const std::stop_token& stop) { run(routes, wanted, stop); });
}

std::optional<RehearsalReport> Rehearsals::report() const {
  MutexLock lock(mutex_);
  return report_;
}

void Rehearsals::run(const std::vector<RouteSpec>& routes, const std::string& requested_at,
                     const std::stop_token& stop) {
  const auto end = [&](std::vector<Arrival> arrivals) {
    if (stop.stop_requested()) return;
    for (const Arrival& one : arrivals)
      log::info(
          "rehearsed",
          {{"endpoint", one.endpoint}, {"milliseconds", one.took ? one.took->count() : -1}, {"error", one.error}});
    {
      MutexLock lock(mutex_);
      report_ = RehearsalReport{requested_at, true, std::move(arrivals)};
    }
    changed_();
  };
  const RouteSpec& first = routes.front();
  std::vector<std::unique_ptr<s3::Client>> clients;
  std::vector<Arrival> unconnected;
  const auto open = [&](const api::Endpoint& endpoint) {
    auto client = connect(endpoint, s3_dir_, 1, clock_);
    if (client) return clients.emplace_back(std::move(*client)).get();
    for (const RouteSpec& route : routes)
      unconnected.push_back({route.target.name, std::nullopt, endpoint.name + ": " + client.error().message});
    return static_cast<s3::Client*>(nullptr);
  };
  s3::Client* const primary = open(first.source);
  if (!primary) return end(std::move(unconnected));
  std::vector<RehearsalTarget> targets;
  for (const RouteSpec& route : routes) {
    s3::Client* const target = open(route.target);
    if (!target) return end(std::move(unconnected));
    targets.push_back({route.target.name, {*target, route.target.s3->prefix}});
  }
  // Where nothing notifies, the next listing finds it.
  const milliseconds patience = kMargin + 2 * std::chrono::seconds(first.settings.listing_interval_seconds);
  end(rehearse(rehearsal_key(first.ns, first.link), requested_at, {*primary, first.source.s3->prefix}, targets,
               {std::min<milliseconds>(patience, std::chrono::minutes(9))}, clock_, stop));
}

}  // namespace twinspan::worker_s3
