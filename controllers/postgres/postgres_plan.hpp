// What to do about a PostgreSQL link's objects, from everything seen. Pure and total; carried out by link_effects.
#pragma once
#include "controllers/link/link_plan.hpp"
#include "controllers/link/link_seen.hpp"
#include "controllers/link/render.hpp"

namespace twinspan::controllers {

LinkPlan plan_link(const LinkSeen& seen, const RenderConfig& config);

}  // namespace twinspan::controllers
