// The runs of a link, one for each target and share, kept as the spec wants them. One thread calls apply and stop.
#pragma once
#include <map>
#include <memory>
#include <vector>

#include "worker/s3/target_run.hpp"

namespace twinspan::worker_s3 {

class Replication {
 public:
  // `clear`: asked from the runs' threads.
  Replication(std::string s3_dir, const Clock& clock, Clear clear, std::function<void()> changed)
      : s3_dir_(std::move(s3_dir)), clock_(clock), clear_(std::move(clear)), changed_(std::move(changed)) {}

  // Runs whose spec is as it was go on; others end and begin anew. When it returns nothing of them is under way any
  // more.
  void apply(const std::vector<RouteSpec>& wanted);
  void stop() { runs_.clear(); }
  void verify();  // all of them; those that verify already go on
  std::vector<TargetSnapshot> snapshots() const;

 private:
  const std::string s3_dir_;
  const Clock& clock_;
  const Clear clear_;
  const std::function<void()> changed_;
  std::map<std::pair<std::string, int>, std::unique_ptr<TargetRun>> runs_;  // by target and share
};

}  // namespace twinspan::worker_s3
