// Whether a copy is the original where listings can't tell: asked of the servers, object by object.
#pragma once
#include <stop_token>

#include "engines/s3/route.hpp"

namespace twinspan::s3 {

// For two objects that listings can't tell apart: one was made from the other, in either direction, and the target is
// stored in the form that is wanted. Neither may have changed since it was listed.
Result<bool> same_content(const Route& route, const Listed& source, const std::string& target_etag,
                          const std::stop_token& stop);

// Content headers, user metadata and tags. True also where an object has changed since it was listed: then the next
// look is the one that counts.
Result<bool> same_metadata(const Route& route, const Listed& source, const Listed& target, const std::stop_token& stop);

}  // namespace twinspan::s3
