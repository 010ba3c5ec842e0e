// Links that may be at odds with one, by where they read and write.
#pragma once
#include <memory>
#include <vector>

#include "controllers/cluster/cluster.hpp"

namespace twinspan::controllers {

// Those that share a place with `link`, and whose newest spec is right.
std::vector<std::shared_ptr<const CachedLink>> links_beside(const api::ReplicationLink& link, const Cluster& cluster);

}  // namespace twinspan::controllers
