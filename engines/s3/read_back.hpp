// Reading a copy, to its last byte.
#pragma once
#include <stop_token>

#include "engines/s3/route.hpp"

namespace twinspan::s3 {

// Whether the target's object, brought back from the form it is stored in, has as many bytes as the source's, and its
// MD5 where that one's ETag is one. A sealed object proves itself; one of another form has checksums. Neither may have
// changed since it was listed; of what is gone meanwhile nothing is said (true).
Result<bool> reads_back(Route& route, const Listed& source, const Listed& target, const std::stop_token& stop);

}  // namespace twinspan::s3
