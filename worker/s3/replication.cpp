#include "worker/s3/replication.hpp"

namespace twinspan::worker_s3 {

void Replication::apply(const std::vector<RouteSpec>& wanted) {
  const auto over = [&](const auto& run) {
    return std::none_of(wanted.begin(), wanted.end(),
                        [&](const RouteSpec& spec) { return run.second->spec() == spec; });
  };
  for (const auto& run : runs_)
    if (over(run)) run.second->request_stop();  // all at once, then one after the other has ended
  std::erase_if(runs_, over);
  for (const RouteSpec& spec : wanted)
    if (auto& run = runs_[{spec.target.name, spec.share.index}]; !run)
      run = std::make_unique<TargetRun>(spec, s3_dir_, clock_, clear_, changed_);
}

void Replication::verify() {
  for (const auto& [key, run] : runs_) run->verify();
}

std::vector<TargetSnapshot> Replication::snapshots() const {
  std::vector<TargetSnapshot> out;
  for (const auto& [key, run] : runs_) out.push_back(run->snapshot());
  return out;
}

}  // namespace twinspan::worker_s3
