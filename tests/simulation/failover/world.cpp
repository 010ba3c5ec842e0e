#include "world.hpp"

#include <fmt/format.h>

#include "misfortune.hpp"

namespace twinspan::simulation {
namespace {

class World {
 public:
  World(uint64_t seed, const Options& options) : cluster_(seed, options) {
    make_objects();
    for (int i = 0; i < options.members; ++i)
      cluster_.agents.push_back(
          std::make_unique<Agent>(cluster_, fmt::format("m{}", i), i, cluster_.ledger.new_volume()));
    for (int i = 0; i < 2; ++i) operators_.push_back(std::make_unique<Operator>(cluster_, fmt::format("op{}", i)));
    misfortune_ = std::make_unique<Misfortune>(cluster_, operators_);
  }

  Outcome go() {
    for (const auto& one : cluster_.agents) one->start();
    for (const auto& one : operators_) one->start();
    misfortune_->begin();
    Network& network = cluster_.network;
    network.at(50 * kMs, [this] { clients(); });
    network.at(options().chaos, [this] { misfortune_->mend(); });
    network.at(options().chaos + kSecond, [this] { look(); });
    const Outcome& outcome = cluster_.ledger.outcome();
    while (outcome.violations.empty() && recovered_ < 3 && network.next(options().chaos + options().calm)) {
    }
    if (outcome.violations.empty() && recovered_ < 3)
      for (const std::string& what : not_recovered()) cluster_.ledger.violate(what, false);
    return outcome;
  }

 private:
  const Options& options() const { return cluster_.options; }

  void make_objects() {
    LinkObject link;
    link.uid = 1;
    for (int i = 0; i < options().members; ++i) link.endpoints.push_back(fmt::format("m{}", i));
    link.durability = {options().synchronous, 1};
    cluster_.api.put(0, link);
    PolicyObject policy;
    policy.rules.mode = options().mode;
    policy.rules.max_lag_bytes = options().synchronous ? 0 : UINT64_MAX / 2;
    policy.rules.promotion_timeout = std::chrono::milliseconds(8000);
    cluster_.api.put(0, policy);
    cluster_.api.put(0, LeaseObject{});
    for (const std::string& endpoint : link.endpoints) cluster_.api.set_claim(endpoint, {link.uid, 0});
  }

  void clients() {
    for (const auto& one : cluster_.agents) one->client_writes();
    cluster_.check_single();
    cluster_.network.at(cluster_.network.uniform(40, 120) * kMs, [this] { clients(); });
  }

  // Recovered three seconds in a row is recovered: the rest of the time would show nothing new.
  void look() {
    misfortune_->apply_what_is_missing();
    misfortune_->decide_for_people();
    recovered_ = not_recovered().empty() ? recovered_ + 1 : 0;
    cluster_.network.at(kSecond, [this] { look(); });
  }

  std::vector<std::string> not_recovered() {
    const Agent* primary = nullptr;
    bool data = false;
    for (const auto& one : cluster_.agents) data |= !one->ghost() && one->volume()->shape != DataShape::kNone;
    // Nobody has data where somebody had, or may have had: what then becomes of the link is a person's to say.
    if (!data && operators_.front()->said().needs_person) return {};
    for (const auto& one : cluster_.agents)
      if (one->accepts_writes()) primary = one.get();
    if (!primary) return {fmt::format("nobody accepts writes after everything was mended: {}", said())};
    std::vector<std::string> missing;
    for (const auto& one : cluster_.agents)
      if (one.get() != primary && !one->ghost() && !one->streams_from(*primary))
        missing.push_back(fmt::format("{} does not stream from {}", one->who(), primary->who()));
    const auto& policy = cluster_.api.state().policy.object;
    if (policy && policy->current)
      missing.push_back(fmt::format("the change to {} never ended: {}", policy->current->to, said()));
    return missing;
  }

  std::string said() const {
    return fmt::format("{}: {}", to_string(operators_.front()->said().reason), operators_.front()->said().message);
  }

  Cluster cluster_;
  std::vector<std::unique_ptr<Operator>> operators_;
  std::unique_ptr<Misfortune> misfortune_;
  int recovered_ = 0;
};

}  // namespace

Outcome run(uint64_t seed, const Options& options) { return World(seed, options).go(); }

}  // namespace twinspan::simulation
