// Objects of an S3 link as they should be. Pure, as controllers/link/render.hpp.
#pragma once
#include "api/types.hpp"
#include "controllers/link/render.hpp"
#include "core/json.hpp"

namespace twinspan::controllers {

// The StatefulSet LINK-s3, with its hash (ARCHITECTURE.md, "Worker pod contract").
Json render_s3_set(const api::ReplicationLink& link, const RenderConfig& config);
// Own link to read, and the leases of the shares to hold. Where there are several, or ever were, they are listed: a
// Role can't confine that to names, so that the leases of the namespace may be read.
Json render_s3_role(const api::ReplicationLink& link, size_t shares);
Json render_s3_network_policy(const api::ReplicationLink& link, const NetworkRules& rules);

}  // namespace twinspan::controllers
