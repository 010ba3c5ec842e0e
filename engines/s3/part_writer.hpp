// Writes an object whose size is known only when all of it was written.
#pragma once
#include <stop_token>
#include <string>
#include <vector>

#include "engines/s3/route.hpp"

namespace twinspan::s3 {

// Part after part, from one thread, with one part in memory. Whoever began the upload ends it.
class PartWriter {
 public:
  PartWriter(Bucket& bucket, Upload upload, int64_t part_bytes);
  Status write(std::string_view bytes, const std::stop_token& stop);
  // What is left becomes the last part, which there is even if nothing was written.
  Result<std::vector<Part>> finish(const std::stop_token& stop);

 private:
  Status send(const std::stop_token& stop);

  Bucket& bucket_;
  const Upload upload_;
  const size_t part_bytes_;
  std::string held_;
  std::vector<Part> parts_;
};

}  // namespace twinspan::s3
