// What to do about a link's objects: what engines answer, and link_effects carries out.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "controllers/link/link_seen.hpp"
#include "controllers/link/render.hpp"
#include "controllers/link/wait_for.hpp"
#include "core/json.hpp"
#include "kube/resource.hpp"

namespace twinspan::controllers {

struct Apply {  // server-side apply
  kube::Resource resource;
  Json object;
  std::shared_ptr<const Owned> there;  // nullptr: it is to be created
};
struct Create {  // must not exist yet: content that nobody may overwrite
  kube::Resource resource;
  Json object;
};
struct Patch {  // JSON merge patch
  kube::Resource resource;
  kube::Key key;
  Json patch;
  bool takes_over = false;  // until it is done the object goes with the link that it was of
};
struct Remove {
  kube::Resource resource;
  kube::Key key;
  std::string uid;  // only this one
};
struct MakeAuthority {};  // the CA, or its next step of rotation
struct IssueCertificates {
  std::string endpoint;
};
struct MakeOwner {};     // the owner's Secret of the default name, unless a person brought one
struct LookForOwner {};  // whether the Secret that the spec names is there, and complete
struct HandOver {
  std::string from;
};  // ask failover to move the primary elsewhere

using Effect =
    std::variant<Apply, Create, Patch, Remove, MakeAuthority, IssueCertificates, MakeOwner, LookForOwner, HandOver>;

struct Step {
  Effect effect;
  std::string reason, message;  // of the Event once it is done; empty: none
  bool warning = false;
  // An endpoint whose volume Kubernetes may refuse to grow: then that is said, and the rest goes on.
  std::string grows_volume_of{};
};

// Pods of another version that stay for now because spec.postgres.updates says so: all is as the spec says.
struct PutOff {
  WaitFor what = WaitFor::kNothing;
  std::string message;            // for people
  std::optional<WallTime> until;  // nullopt: a person ends it
};

// What becomes of the newest spec.
struct Acceptance {
  std::optional<api::AcceptedSpec> accepted;
  std::optional<api::TrialStatus> trial;
};

struct LinkPlan {
  std::vector<Step> steps;
  WaitFor waits_for = WaitFor::kNothing;  // what keeps the objects from being as they should
  std::string waiting_message;            // for people
  // Others' objects where ours would be: they were left alone, and what needs them is not made. Sorted.
  std::vector<Foreign> foreign;
  std::optional<PutOff> put_off;
  std::optional<api::UpdateStatus> update;  // what is to be remembered of it
  std::string owner_awaited;  // for people: which Secret of the spec's is not there or not complete; empty: none
  std::optional<Acceptance> acceptance;                 // of the newest spec; nullopt: nobody looked
  std::optional<std::chrono::milliseconds> next_check;  // nothing else will bring us back by then
};

}  // namespace twinspan::controllers
