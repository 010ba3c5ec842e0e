// What the link controller does about Kafka links: LinkEngine of Kafka.
#pragma once
#include "controllers/link/engine.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

class KafkaLinks final : public LinkEngine {
 public:
  KafkaLinks(const Clock& clock, RenderConfig render) : clock_(clock), render_(std::move(render)) {}
  LinkLook look(const LinkFacts& facts, const Cluster& cluster, const WorkerReports& reports) const override;
  bool is_news(const MemberReport& before, const MemberReport& after) const override;

 private:
  const Clock& clock_;
  const RenderConfig render_;
};

}  // namespace twinspan::controllers
