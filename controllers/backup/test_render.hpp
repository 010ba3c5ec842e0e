// The pod that tests a restore, and what it may reach. Pure.
#pragma once
#include <optional>

#include "api/types.hpp"
#include "controllers/link/render.hpp"
#include "core/json.hpp"

namespace twinspan::controllers {

// It has no account at the API, reads the keys of the Secrets that open the repository and nothing else, is never
// started again, and takes its volume along when it goes. It runs where the link's source may, with its resources.
// kInvalid: the link has no endpoint whose pods are ours.
Result<Json> render_test_pod(const api::ReplicationLink& link, const api::BackupSchedule& schedule,
                             const RenderConfig& config);
// Nobody reaches it, and it reaches names and the port of the bucket.
Json render_test_policy(const api::ReplicationLink& link);

}  // namespace twinspan::controllers
