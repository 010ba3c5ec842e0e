#include "misfortune.hpp"

#include <fmt/format.h>

namespace twinspan::simulation {
namespace {

// Frequent enough to be in most seeds: what the others are survived beside.
constexpr Fault kEveryday[] = {Fault::kDatabaseDies, Fault::kAgentRestarts, Fault::kMachineSuspends,
                               Fault::kAgentHangs,   Fault::kCutFromApi,    Fault::kOperatorSuspends,
                               Fault::kSwitchover};

}  // namespace

Misfortune::Misfortune(Cluster& cluster, std::vector<std::unique_ptr<Operator>>& operators)
    : cluster_(cluster), operators_(operators) {
  policy_ = *cluster_.api.state().policy.object;
  link_ = *cluster_.api.state().link.object;
  draw();
}

void Misfortune::draw() {
  const auto restored = static_cast<size_t>(Fault::kRestored);
  for (size_t i = 0; i < restored; ++i) drawn_[i] = network().chance(0.25);
  for (const Fault fault : kEveryday)
    if (network().chance(0.4)) drawn_.set(static_cast<size_t>(fault));
  if (cluster_.options.allowed.test(restored)) drawn_[restored] = network().chance(0.3);
  drawn_ &= cluster_.options.allowed;
  if (cluster_.options.always) drawn_.set(static_cast<size_t>(*cluster_.options.always));
  for (size_t i = 0; i < drawn_.size(); ++i)
    if (drawn_[i]) kinds_.push_back(static_cast<Fault>(i));
}

void Misfortune::begin() {
  for (const Fault fault : kinds_) note(fmt::format("drawn: {}", to_string(fault)));
  network().at(some(100, 3000), [this] { next(); });
}

void Misfortune::next() {
  if (!rough()) return;
  if (cluster_.api.up() && network().chance(0.3)) cluster_.api.take_snapshot();
  if (!kinds_.empty())
    happen(kinds_[static_cast<size_t>(network().uniform(0, static_cast<int64_t>(kinds_.size()) - 1))]);
  network().at(some(50, 6000), [this] { next(); });
}

void Misfortune::happen(Fault fault) {
  cluster_.ledger.outcome().happened.set(static_cast<size_t>(fault));
  Agent& one = target();
  if (!to_member(fault, one) && !to_network(fault, one)) by_people(fault);
}

// The primary is where faults matter.
Agent& Misfortune::target() {
  if (network().chance(0.6))
    for (const auto& one : cluster_.agents)
      if (one->accepts_writes() && !one->ghost()) return *one;
  for (;;) {
    Agent& one =
        *cluster_.agents[static_cast<size_t>(network().uniform(0, static_cast<int64_t>(cluster_.agents.size()) - 1))];
    if (!one.ghost()) return one;
  }
}

void Misfortune::mend() {
  note("mended");
  network().mend();
  cluster_.api.mend();
  for (const auto& one : cluster_.agents) {
    if (one->ghost())
      one->end(-1);
    else
      one->mend();
  }
  for (const auto& one : operators_) one->mend();
  set_mode(cluster_.options.mode);
}

}  // namespace twinspan::simulation
