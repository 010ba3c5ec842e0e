// A probe for every endpoint of the link. One thread calls apply.
#pragma once
#include <map>
#include <memory>
#include <vector>

#include "worker/s3/bucket_probe.hpp"
#include "worker/s3/direction.hpp"

namespace twinspan::worker_s3 {

class Probes {
 public:
  Probes(std::string s3_dir, const Clock& clock, std::function<void()> changed)
      : s3_dir_(std::move(s3_dir)), clock_(clock), changed_(std::move(changed)) {}

  // Those whose endpoint is as it was go on.
  void apply(const api::ReplicationLink& link);
  std::vector<PlaceSeen> seen() const;

 private:
  const std::string s3_dir_;
  const Clock& clock_;
  const std::function<void()> changed_;
  std::map<std::string, std::unique_ptr<BucketProbe>> probes_;
};

}  // namespace twinspan::worker_s3
