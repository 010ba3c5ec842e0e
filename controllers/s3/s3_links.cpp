#include "controllers/s3/s3_links.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/s3/s3_plan.hpp"
#include "controllers/s3/s3_seen.hpp"
#include "controllers/s3/s3_status.hpp"

namespace twinspan::controllers {
namespace {

std::vector<LinkEvent> events_of(const api::LinkStatus& before, const api::LinkStatus& after) {
  std::vector<LinkEvent> events = turned(before, after, {"Ready", "LagWithinThreshold", "Consistent"});
  const auto& sync = after.sync;
  if (sync && sync->completed_at && (!before.sync || before.sync->completed_at != sync->completed_at) &&
      sync->failed.value_or(0) > 0)
    events.push_back({true, "ObjectsFailed",
                      fmt::format("{} of {} objects could not be copied", *sync->failed, sync->total.value_or(0))});
  return events;
}

// They share one certificate, which carries the first one's name.
std::vector<LinkMember> members_of(const S3Seen& seen) {
  std::vector<LinkMember> members;
  for (const EndpointSeen& worker : seen.workers())
    members.push_back(link_member(worker.name, worker.pod.get(), pod_name(seen.link().metadata.name, kS3Member)));
  return members;
}

}  // namespace

LinkLook S3Links::look(const LinkFacts& facts, const Cluster& cluster, const WorkerReports& reports) const {
  const CachedLink& link = *facts.link;
  S3Seen seen = gather_s3(facts.link, cluster, reports, clock_);
  seen.common.recall(facts.recalled);
  LinkLook look;
  if (link.actionable || link.metadata.deleting()) {
    look.members = members_of(seen);
    seen.common.turn = facts.rolls.turn(key_of(link.metadata), s3_roll_state(seen, render_));
    look.plan = plan_s3(seen, render_);
  }
  look.status = next_s3_status(seen, look.plan);
  look.events = events_of(link.status, look.status);
  look.seen = std::move(seen.common);
  return look;
}

bool S3Links::is_news(const MemberReport& a, const MemberReport& b) const {
  return a.instance != b.instance || a.state != b.state || a.message != b.message || a.epoch != b.epoch ||
         a.holds_lease != b.holds_lease || a.generation != b.generation || a.details != b.details;
}

}  // namespace twinspan::controllers
