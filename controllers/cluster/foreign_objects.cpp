#include "controllers/cluster/foreign_objects.hpp"

namespace twinspan::controllers {

bool ForeignObjects::found(const kube::Key& claimant, const Foreign& what) {
  MutexLock lock(mutex_);
  return found_at_[claimant].insert_or_assign(what, clock_.boot_now()).second;
}

void ForeignObjects::gone(const kube::Key& claimant, const Foreign& what) {
  MutexLock lock(mutex_);
  const auto known = found_at_.find(claimant);
  if (known == found_at_.end()) return;
  known->second.erase(what);
  if (known->second.empty()) found_at_.erase(known);
}

std::vector<KnownForeign> ForeignObjects::of(const kube::Key& claimant) const {
  MutexLock lock(mutex_);
  std::vector<KnownForeign> out;
  const auto known = found_at_.find(claimant);
  if (known == found_at_.end()) return out;
  for (const auto& [what, at] : known->second) out.push_back({what, clock_.boot_now() - at >= kLookAgain});
  return out;
}

void ForeignObjects::forget(const kube::Key& claimant) {
  MutexLock lock(mutex_);
  found_at_.erase(claimant);
}

}  // namespace twinspan::controllers
