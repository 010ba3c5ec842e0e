#include "controllers/kafka/kafka_links.hpp"

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/kafka/kafka_plan.hpp"
#include "controllers/kafka/kafka_status.hpp"

namespace twinspan::controllers {
LinkLook KafkaLinks::look(const LinkFacts& facts, const Cluster& cluster, const WorkerReports& reports) const {
  const CachedLink& link = *facts.link;
  KafkaSeen seen = gather_kafka(facts.link, cluster, reports, clock_);
  seen.common.recall(facts.recalled);
  LinkLook look;
  if (link.actionable || link.metadata.deleting()) {
    look.members = {link_member(seen.worker().name, seen.worker().pod.get(), seen.pod())};
    seen.common.turn = facts.rolls.turn(key_of(link.metadata), kafka_roll_state(seen, render_));
    look.plan = plan_kafka(seen, render_);
  }
  look.status = next_kafka_status(seen, look.plan);
  // Which partitions are halted is told with Stalled, and again whenever they are others.
  look.events = turned(link.status, look.status, {"Ready", "LagWithinThreshold"});
  look.seen = std::move(seen.common);
  return look;
}

bool KafkaLinks::is_news(const MemberReport& a, const MemberReport& b) const {
  return a.instance != b.instance || a.state != b.state || a.message != b.message || a.generation != b.generation ||
         a.details != b.details;
}

}  // namespace twinspan::controllers
