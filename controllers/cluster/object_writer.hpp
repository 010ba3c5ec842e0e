// The only way to create, apply and take over objects of links and policies: what is somebody else's is never written,
// also where it comes into existence between a look at the caches and the write. Any thread.
#pragma once
#include <stop_token>

#include "controllers/cluster/foreign_objects.hpp"
#include "controllers/cluster/kinds.hpp"
#include "kube/client.hpp"

namespace twinspan::controllers {

// Kubernetes does not take it, by its own rules, admission or a quota: the words are its own, and a person's business.
bool is_refusal(const Error& error);

class ObjectWriter {
 public:
  ObjectWriter(kube::Client& client, const Clock& clock) : client_(client), foreign_(clock) {}

  // What the object is now. Absent: somebody else's is there, and known as such by now; leave it and go on.
  // kConflict: the caches were behind, or a foreign object has just been found, which the next look tells.
  using Written = Result<std::optional<Json>>;

  // Must not exist yet: content that nobody may overwrite.
  Written create(const kube::Resource& resource, const Json& wanted, const Claimant& claimant,
                 const std::stop_token& stop);
  // As rendered. `there`: what the caches have under that name; nullptr: nothing.
  Written apply(const kube::Resource& resource, const Json& wanted, const Claimant& claimant, const Owned* there,
                const std::stop_token& stop);
  // PUT onto `there`, as it was just read: everything but the metadata of others.
  Written replace(const kube::Resource& resource, const Json& wanted, const Claimant& claimant, const Json& there,
                  const std::stop_token& stop);

  ForeignObjects& foreign() { return foreign_; }
  const ForeignObjects& foreign() const { return foreign_; }

 private:
  Written exists(const kube::Resource& resource, const Json& wanted, const Claimant& claimant,
                 const std::stop_token& stop);
  Written is_foreign(const kube::Resource& resource, const kube::Key& key, const Claimant& claimant);
  Result<bool> what_stayed(const kube::Resource& resource, const Result<Json>& applied, const Owned& there,
                           const kube::Key& key, const std::stop_token& stop);
  Result<Json> own_fields(const kube::Resource& resource, const Json& written, const Json& managed,
                          const std::stop_token& stop);

  kube::Client& client_;
  ForeignObjects foreign_;
};

}  // namespace twinspan::controllers
