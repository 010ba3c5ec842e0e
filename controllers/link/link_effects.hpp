// Carries a link's plan out, step by step, stopping at the first that fails: the next look plans anew.
#pragma once
#include <functional>
#include <map>
#include <stop_token>

#include "controllers/cluster/cluster.hpp"
#include "controllers/cluster/object_writer.hpp"
#include "controllers/cluster/reference.hpp"
#include "controllers/link/link_plan.hpp"
#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "kube/client.hpp"
#include "kube/events.hpp"

namespace twinspan::controllers {

class LinkEffects {
 public:
  LinkEffects(kube::Client& client, Cluster& cluster, kube::EventRecorder& events, const Clock& clock);

  Status carry_out(const LinkSeen& seen, const LinkPlan& plan, const std::stop_token& stop);
  // What was found on the way and no cache has: others' objects, a person's owner Secret, volumes that can't grow.
  Recalled recall(const CachedLink& link) const;
  // Volumes that Kubernetes did not let grow, within the last minutes, by endpoint.
  std::map<std::string, RefusedVolume> refused_volumes(const kube::Key& link) const;
  void forget(const kube::Key& link);

 private:
  Status carry_out(const LinkSeen& seen, const Step& step, const std::stop_token& stop);
  void note_refused(const kube::Key& link, std::vector<RefusedObject> refused);
  // Of what ObjectWriter wrote, or left alone.
  Status done(const kube::Resource& resource, ObjectWriter::Written written);
  Status patch(const Patch& step, const std::stop_token& stop);
  Status remove(const Remove& step, const std::stop_token& stop);
  Status make_authority(const LinkSeen& seen, const std::stop_token& stop);
  Status issue_certificates(const LinkSeen& seen, const std::string& endpoint, const std::stop_token& stop);
  Status make_owner(const LinkSeen& seen, const std::stop_token& stop);
  Status look_for_owner(const LinkSeen& seen, const std::stop_token& stop);
  Result<bool> find_owner(const LinkSeen& seen, const std::stop_token& stop);
  Status hand_over(const LinkSeen& seen, const std::string& from, const std::stop_token& stop);

  kube::Client& client_;
  Cluster& cluster_;
  kube::EventRecorder& events_;
  const Clock& clock_;
  ObjectWriter writer_;
  struct OwnerFound {
    OwnerSecret::State state;
    std::string secret;
    BootTime at;
  };
  mutable Mutex mutex_;
  struct Refused : RefusedVolume {
    BootTime until;
  };
  void note_volume(const LinkSeen& seen, const Step& step, const Error* error);
  std::map<kube::Key, std::vector<RefusedObject>> refused_ GUARDED_BY(mutex_);
  std::map<kube::Key, OwnerFound> owners_ GUARDED_BY(mutex_);
  std::map<kube::Key, std::map<std::string, Refused>> refused_volumes_ GUARDED_BY(mutex_);
};

}  // namespace twinspan::controllers
