// As if every worker of every link ran and streamed: what benchmarks of the operator alone run. Only statuses are
// written.
#pragma once
#include <memory>

#include "controllers/link/engine.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

class PretendedLinks final : public LinkEngine {
 public:
  // `busy`: the workers are asked, too, by pretended_probe().
  PretendedLinks(const Clock& clock, bool busy);
  LinkLook look(const LinkFacts& facts, const Cluster& cluster, const WorkerReports& reports) const override;
  bool is_news(const MemberReport&, const MemberReport&) const override { return false; }

 private:
  const Clock& clock_;
  std::shared_ptr<const Secret> authority_;  // of all links; nullptr: nobody is asked
};

// A worker whose log grows by a mebibyte each second, and whose lag changes; it answers after a millisecond.
std::unique_ptr<StatusProbe> pretended_probe(const Target& target, const Clock& clock);

}  // namespace twinspan::controllers
