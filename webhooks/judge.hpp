// What becomes of a request, given what else there is. The rules are api/'s, and where a reconciler judges by what is
// beside an object, that very function. Pure.
#pragma once
#include <optional>
#include <vector>

#include "api/types.hpp"
#include "webhooks/review.hpp"

namespace twinspan::webhooks {

// What a link may be at odds with.
struct BesideLink {
  std::vector<api::ReplicationLink> near;     // links whose pods could have the same names
  std::vector<api::ReplicationLink> sharing;  // links, of any namespace, that use one of its buckets or brokers
  std::vector<api::FailoverPolicy> policies;  // that name it
};
Verdict judge_link(const Review& review, const BesideLink& beside);

struct BesidePolicy {
  std::optional<api::ReplicationLink> link;  // nullopt: there is none, yet
  std::vector<api::FailoverPolicy> rivals;   // that name its link, or one of its Services or ConfigMaps
};
Verdict judge_policy(const Review& review, const BesidePolicy& beside);

// By itself: its link may come yet, and what it is at odds with is the controller's to say.
Verdict judge_schedule(const Review& review);

// What the schema can't fill in: a JSON Patch. What can't be read stays as it is, and is refused later.
Json defaults_of(const Review& review);

}  // namespace twinspan::webhooks
