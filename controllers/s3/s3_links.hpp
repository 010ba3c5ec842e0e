// What the link controller does about S3 links: LinkEngine of S3.
#pragma once
#include "controllers/link/engine.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

class S3Links final : public LinkEngine {
 public:
  S3Links(const Clock& clock, RenderConfig render) : clock_(clock), render_(std::move(render)) {}
  LinkLook look(const LinkFacts& facts, const Cluster& cluster, const WorkerReports& reports) const override;
  bool is_news(const MemberReport& before, const MemberReport& after) const override;

 private:
  const Clock& clock_;
  const RenderConfig render_;
};

}  // namespace twinspan::controllers
