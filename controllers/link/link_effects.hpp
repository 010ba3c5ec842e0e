// Carries a link's plan out, step by step, stopping at the first that fails: the next look plans anew.
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>

#include "controllers/cluster/cluster.hpp"
#include "controllers/link/link_plan.hpp"
#include "core/clock.hpp"
#include "kube/client.hpp"
#include "kube/events.hpp"

namespace twinspan::controllers {

class LinkEffects {
 public:
  LinkEffects(kube::Client& client, Cluster& cluster, kube::EventRecorder& events, const Clock& clock);

  Status carry_out(const LinkSeen& seen, const LinkPlan& plan, const std::stop_token& stop);
  // Whether the owner Secret was found to be a person's, within the last minutes.
  bool owner_is_theirs(const kube::Key& link) const;
  void forget(const kube::Key& link);

 private:
  Status carry_out(const LinkSeen& seen, const Step& step, const std::stop_token& stop);
  Status apply(const Apply& step, const std::stop_token& stop);
  Status create(const kube::Resource& resource, const Json& object, const std::stop_token& stop);
  Status update(const kube::Resource& resource, const Json& object, const std::stop_token& stop);
  Status patch(const Patch& step, const std::stop_token& stop);
  Status remove(const Remove& step, const std::stop_token& stop);
  Status make_authority(const LinkSeen& seen, const std::stop_token& stop);
  Status issue_certificates(const LinkSeen& seen, const std::string& endpoint, const std::stop_token& stop);
  Status make_owner(const LinkSeen& seen, const std::stop_token& stop);
  Status hand_over(const LinkSeen& seen, const std::string& from, const std::stop_token& stop);

  kube::Client& client_;
  Cluster& cluster_;
  kube::EventRecorder& events_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<kube::Key, BootTime> owner_is_theirs_;  // until when that is taken for granted
};

kube::ObjectRef reference_to(const api::ReplicationLink& link);

}  // namespace twinspan::controllers
