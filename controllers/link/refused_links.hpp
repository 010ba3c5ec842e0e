// Links of an engine that this version does not have: nothing is done about them, and their conditions say so.
#pragma once
#include "controllers/link/engine.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

class RefusedLinks final : public LinkEngine {
 public:
  explicit RefusedLinks(const Clock& clock) : clock_(clock) {}
  LinkLook look(const LinkFacts& facts, const Cluster& cluster, const WorkerReports& reports) const override;
  bool is_news(const MemberReport&, const MemberReport&) const override { return false; }

 private:
  const Clock& clock_;
};

}  // namespace twinspan::controllers
