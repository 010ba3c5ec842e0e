// Where links write, across all of them: two that write to one place overwrite each other, and two that each write what
// the other reads go round in circles. Pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "controllers/cluster/places.hpp"

namespace twinspan::controllers {

// Why `link` has to give way to one of `others` that was made before it; nullopt: it need not. Links that are being
// deleted do not count.
std::optional<TakenPlace> place_taken_by(const api::ReplicationLink& link,
                                         const std::vector<const api::ReplicationLink*>& others);
// The message alone.
std::optional<std::string> place_taken(const api::ReplicationLink& link,
                                       const std::vector<const api::ReplicationLink*>& others);

}  // namespace twinspan::controllers
