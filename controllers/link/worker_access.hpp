// The operator's client certificate for each link's agents, issued when first needed and again before it ends. Any
// thread.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "controllers/cluster/kinds.hpp"
#include "core/guarded.hpp"
#include "net/http.hpp"

namespace twinspan::controllers {

class WorkerAccess {
 public:
  // One value for all members of the link, as long as its authority stays the same; nullptr where the authority can't
  // issue.
  std::shared_ptr<const net::ClientTls> of(const kube::Key& link, const Secret& authority, WallTime now);
  void forget(const kube::Key& link);

 private:
  struct Entry {
    std::string issuer_pem, bundle_hash;
    WallTime renew_at{};
    std::shared_ptr<const net::ClientTls> tls;
  };
  Mutex mutex_;
  std::map<kube::Key, Entry> entries_ GUARDED_BY(mutex_);
};

}  // namespace twinspan::controllers
