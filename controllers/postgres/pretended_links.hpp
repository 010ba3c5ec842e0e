// As if every worker of every link ran and streamed: what benchmarks of the operator alone run. Only statuses are
// written.
#pragma once
#include "controllers/link/engine.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

class PretendedLinks final : public LinkEngine {
 public:
  explicit PretendedLinks(const Clock& clock) : clock_(clock) {}
  LinkLook look(const LinkFacts& facts, const Cluster& cluster, const WorkerReports& reports) const override;
  bool is_news(const MemberReport&, const MemberReport&) const override { return false; }

 private:
  const Clock& clock_;
};

}  // namespace twinspan::controllers
