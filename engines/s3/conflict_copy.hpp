// Where the loser of a conflict is kept.
#pragma once
#include <stop_token>
#include <string>

#include "engines/s3/route.hpp"

namespace twinspan::s3 {

// ".twinspan/conflicts/KEY/ETAG" in the loser's own bucket, KEY with the link's prefix. Keys too long for that, or that
// servers on file systems would fold, keep their readable beginning and are told apart by a digest. Pure.
std::string conflict_name(const std::string& key, const std::string& etag);

// Copies the object there within its bucket, as it is now. kConflict: it has changed, or gone. Doing it again is
// harmless.
Status keep_loser(const Side& side, const Listed& loser, const std::stop_token& stop);

}  // namespace twinspan::s3
