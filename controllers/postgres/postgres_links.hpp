// What the link controller does about PostgreSQL links: LinkEngine of Postgres.
#pragma once
#include "controllers/link/engine.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

class PostgresLinks final : public LinkEngine {
 public:
  PostgresLinks(const Clock& clock, RenderConfig render) : clock_(clock), render_(std::move(render)) {}
  LinkLook look(const LinkFacts& facts, const Cluster& cluster, const WorkerReports& reports) const override;
  bool is_news(const MemberReport& before, const MemberReport& after) const override;
  // Edits wait for each other, since each of them is tried by one endpoint first.
  std::chrono::milliseconds patience_with_edits() const override { return std::chrono::seconds(2); }

 private:
  const Clock& clock_;
  const RenderConfig render_;
};

}  // namespace twinspan::controllers
