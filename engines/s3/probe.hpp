// What a bucket's server does beyond the letter of the API, found out by doing it.
#pragma once
#include <stop_token>
#include <string>

#include "engines/s3/settings.hpp"

namespace twinspan::s3 {

struct BucketTraits {
  bool conditional_puts = false;       // If-Match and If-None-Match of PutObject hold
  bool conditional_completes = false;  // … of CompleteMultipartUpload
  bool conditional_copies = false;     // … of CopyObject; asked where both buckets are one server's
  bool etags_opaque = false;           // ETags are no MD5 of the content: encryption with keys of its own
};

// Writes ".twinspan/probe/LINK" a few times, then removes it. Only one process at a time per link and bucket: what a
// dead one left there goes.
Result<BucketTraits> probe_bucket(Bucket& bucket, const std::string& link, const Settings& settings,
                                  const std::stop_token& stop);

}  // namespace twinspan::s3
