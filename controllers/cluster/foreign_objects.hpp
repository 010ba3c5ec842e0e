// Somebody else's objects that were found where links or policies want theirs. They carry no label of ours, so that no
// cache has them: what is known of them was found on the way, and is looked at again now and then. Any thread.
#pragma once
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "controllers/cluster/ownership.hpp"
#include "core/clock.hpp"
#include "core/guarded.hpp"

namespace twinspan::controllers {

struct KnownForeign {
  Foreign what;
  bool due = false;  // it was looked at long ago: try again, it may be gone or handed over
};

class ForeignObjects {
 public:
  // A person who removes or hands over an object waits for so long.
  static constexpr std::chrono::seconds kLookAgain{5};

  explicit ForeignObjects(const Clock& clock) : clock_(clock) {}
  // True: it was not known before.
  bool found(const kube::Key& claimant, const Foreign& what);
  void gone(const kube::Key& claimant, const Foreign& what);
  std::vector<KnownForeign> of(const kube::Key& claimant) const;  // sorted
  void forget(const kube::Key& claimant);

 private:
  const Clock& clock_;
  mutable Mutex mutex_;
  std::map<kube::Key, std::map<Foreign, BootTime>> found_at_ GUARDED_BY(mutex_);
};

}  // namespace twinspan::controllers
