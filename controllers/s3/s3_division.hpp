// Into how many shares the keys of an S3 link are divided: as many as there are to be workers. Pure.
#pragma once
#include <optional>

#include "controllers/s3/s3_seen.hpp"

namespace twinspan::controllers {

// A division that differs gets a higher generation than any that workers may know of, by the status or by the leases:
// they tell from it which of two came later. nullopt: there is one worker, and there never was another.
std::optional<api::DivisionStatus> next_division(const S3Seen& seen);

}  // namespace twinspan::controllers
