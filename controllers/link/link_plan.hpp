// What to do about a link's objects, from everything seen. Pure and total; carried out by link_effects.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "controllers/link/link_seen.hpp"
#include "controllers/link/render.hpp"
#include "core/json.hpp"
#include "kube/resource.hpp"

namespace twinspan::controllers {

struct Apply {  // server-side apply
  kube::Resource resource;
  Json object;
  bool unseen = false;  // our caches don't have it: should it exist nevertheless, it must be ours
};
struct Create {  // must not exist yet: content that nobody may overwrite
  kube::Resource resource;
  Json object;
};
struct Patch {  // JSON merge patch
  kube::Resource resource;
  kube::Key key;
  Json patch;
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
struct MakeOwner {};  // the owner's Secret, unless a person brought one
struct HandOver {
  std::string from;
};  // ask failover to move the primary elsewhere

using Effect = std::variant<Apply, Create, Patch, Remove, MakeAuthority, IssueCertificates, MakeOwner, HandOver>;

struct Step {
  Effect effect;
  std::string reason, message;  // of the Event once it is done; empty: none
  bool warning = false;
};

struct LinkPlan {
  std::vector<Step> steps;
  // What keeps the objects from being as they should, for people; empty: they are.
  std::string waiting_reason, waiting_message;
  std::optional<std::string> taken;  // an object's name that another link or person holds: nothing was planned
  std::string taken_field;           // with it: the field that asks for that name
  std::optional<std::chrono::milliseconds> next_check;  // nothing else will bring us back by then
};

LinkPlan plan_link(const LinkSeen& seen, const RenderConfig& config);

}  // namespace twinspan::controllers
