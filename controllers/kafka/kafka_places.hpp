// Which topics links write into which clusters, across all of them, as far as specs tell it: brokers that both name,
// and names that patterns give away. What only the clusters' ids tell, the workers find out. Pure.
#pragma once
#include <optional>
#include <vector>

#include "controllers/cluster/places.hpp"

namespace twinspan::controllers {

// Why `link` has to give way to one of `others` that was made before it: both would write one topic, or each would
// carry what the other has carried, on and on. nullopt: it need not. Links that are being deleted do not count.
std::optional<TakenPlace> mirror_taken_by(const api::ReplicationLink& link,
                                          const std::vector<const api::ReplicationLink*>& others);

}  // namespace twinspan::controllers
