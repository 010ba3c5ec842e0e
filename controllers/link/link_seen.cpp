#include "controllers/link/link_seen.hpp"

namespace twinspan::controllers {

const EndpointSeen* LinkSeen::find(std::string_view name) const {
  for (const EndpointSeen& endpoint : endpoints)
    if (endpoint.name == name) return &endpoint;
  return nullptr;
}

std::string LinkSeen::primary() const {
  if (!lease || !lease->record.promoted) return {};
  // A second more than the lease lasts: a watch event may be late, and the holder renews well before.
  if (lease_unchanged_for > lease->duration + std::chrono::seconds(1)) return {};
  return lease->record.holder_endpoint;
}

bool LinkSeen::settled() const {
  const auto& assignment = link->status.assignment;
  return assignment && !primary().empty() && assignment->epoch == lease->record.epoch.value;
}

}  // namespace twinspan::controllers
