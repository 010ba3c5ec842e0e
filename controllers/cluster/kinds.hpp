// What the caches hold: the few facts of each object that decisions need, not the object. Private keys of workers never
// stay.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "controllers/cluster/ownership.hpp"
#include "core/clock.hpp"
#include "core/json.hpp"
#include "core/result.hpp"
#include "failover/lease.hpp"
#include "kube/resource.hpp"

namespace twinspan::controllers {

// A link whose `spec` is the one in force: the last that was accepted (status.accepted), else the newest. Judged once,
// when it arrives. status.accepted.spec is kept only where it is another than the newest.
struct CachedLink : api::ReplicationLink {
  std::optional<Error> invalid;         // kInvalid; why the newest spec is refused, with its field
  std::optional<api::LinkSpec> wanted;  // the newest spec, where it is right and differs from the one in force
  bool actionable = false;              // there is a spec to act by; else `spec` may be incomplete

  // The generation that agents report once they have applied the spec in force.
  int64_t generation_in_force() const { return status.accepted ? status.accepted->generation : metadata.generation; }

  template <class Self, class Each>
  static void for_each_member(Self& self, const Each& each) {
    api::ReplicationLink::for_each_member(self, each);
    each(self.invalid);
    each(self.wanted);
    each(self.actionable);
  }
};

// What every object of ours has.
struct Owned : Marks {
  std::string uid;
  std::string resource_version;
  std::string endpoint;  // by label; empty: none
  std::string hash;      // of the annotation; empty where absent or where the content is no longer what was hashed
  bool terminating = false;
};

// `hash` as it is annotated, taken for granted.
void read_meta(const Json& json, Owned& owned);

struct Pod : Owned {
  std::string phase;
  std::string ip;
  std::string node;
  std::string origin;  // which version of the operator made it; empty: one that did not say
  std::string asked;   // kAskedAnnotation; empty: made by a version that did not say
  bool ready = false;
  bool scheduled = false;
  int64_t restarts = 0;
  std::string trouble;      // why it does not run, in Kubernetes' words: "ImagePullBackOff: …", "Unschedulable: …"
  std::string role, reads;  // the labels
  std::optional<WallTime> created;
  bool finished() const { return phase == "Failed" || phase == "Succeeded"; }
};

struct Claim : Owned {
  std::optional<WallTime> created;
  std::string requested;  // spec.resources.requests.storage
  std::string phase;
};

// An owner's Secret. Of what it holds beside username and password only digests stay.
struct Connection {
  std::string username, password;             // without the line break that people's tools leave at the end
  std::map<std::string, std::string> hashes;  // by key
  std::string ours;                           // kConnectionAnnotation
  bool immutable = false;
};

struct Secret : Owned {
  std::optional<WallTime> renew_at;  // of certificates
  std::string services;              // kServicesAnnotation
  std::string bundle_hash;           // of ca.crt: members whose bundle differs from the CA's are issued anew
  // A link's CA only: what it issues with, and the bundle that everybody trusts.
  std::string issuer_certificate_pem, issuer_key_pem, bundle_pem;
  std::optional<Connection> connection;  // of a Secret with username or password only
};

struct Lease : Owned {
  std::optional<WallTime> created;
  LeaseRecord record;
  std::chrono::milliseconds duration{0};
  BootTime seen_at{};    // when this version arrived here
  int64_t division = 0;  // kDivisionAnnotation
};

// Whether nobody's decision changes by the later version. One that comes after the earlier had run out changes them:
// whoever looked in between took it for given up.
bool is_mere_renewal(const Lease& before, const Lease& after);

struct StatefulSet : Owned {
  std::string origin;    // as a pod's
  int64_t replicas = 0;  // wanted
  int64_t ready_replicas = 0, updated_replicas = 0;
  bool observed = false;  // the status speaks of this spec
};

Result<CachedLink> decode_link(const Json& json);
// status.accepted.spec is kept only where it may be another than spec.
Result<api::FailoverPolicy> decode_policy(const Json& json);
Result<Owned> decode_owned(const Json& json);
Result<Pod> decode_pod(const Json& json);
Result<Claim> decode_claim(const Json& json);
Result<Secret> decode_secret(const Json& json);
Result<StatefulSet> decode_stateful_set(const Json& json);
Result<Lease> decode_lease(const Json& json, BootTime now);

// Hash of the parts of an object that its renderer owns: rules, roleRef, subjects, spec of a budget or a NetworkPolicy,
// data of a Secret, labels of ours, annotations that a spec asks for. The same for an object as rendered and as the API
// server stores it.
std::string content_hash(const Json& object);
// A short stable hash of any text (FNV-1a, 64 bits, hexadecimal).
std::string stable_hash(std::string_view text);

}  // namespace twinspan::controllers
