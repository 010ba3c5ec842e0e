// Whose an object is. Judged here, for every kind alike; nothing else may decide that an object is written or deleted.
// Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "api/types.hpp"
#include "core/json.hpp"
#include "kube/resource.hpp"

namespace twinspan::controllers {

// What an object says of whose it is.
struct Marks {
  bool managed = false;    // carries our managed-by label
  std::string link;        // the label; empty: none
  std::string owner;       // uid of the link or policy among its owner references; empty: none
  std::string controller;  // its controller of another kind, such as "ExternalSecret/shop-db"; empty: none
  std::string made_for;    // the uid, by annotation, of objects that are to outlive their link
  std::string handed_to;   // the link or policy that a person hands it over to, by annotation
  bool operator==(const Marks&) const = default;
};
Marks marks_of(const Json& object);

// Who wants to write it: a link, or a policy of one.
struct Claimant {
  std::string name;
  std::string link;  // of a policy: the link it names
  std::string uid;
};
Claimant claimant(const api::ReplicationLink& link);
Claimant claimant(const api::FailoverPolicy& policy);

enum class Whose {
  kOurs,          // made for this very claimant
  kPredecessors,  // made by us for an earlier one of the same name: ours once it is taken over
  kHandedOver,    // a person's, who lets us write it; never deleted with the claimant
  kForeign,       // neither written nor deleted
};
Whose whose(const Marks& object, const Claimant& claimant);
// Running things are not handed over: they would be replaced at once.
bool can_be_handed_over(std::string_view kind);
bool may_be_written(Whose whose, std::string_view kind);
bool may_be_deleted(Whose whose);

// Somebody else's object where one of ours would be.
struct Foreign {
  std::string kind, name;
  bool operator==(const Foreign&) const = default;
  auto operator<=>(const Foreign&) const = default;
};
// What there is, what it means, and what to do about it. `rename`: the field that asks for that name.
std::string foreign_message(const std::vector<Foreign>& foreign, const std::string& ns, const std::string& claimant,
                            const std::string& rename);

// The merge patch that makes a predecessor's object ours, or takes a person's in hand; the version is its precondition.
// `wanted` is the object as rendered: its owner references and labels are what is written.
Json takeover_patch(const Json& wanted, Whose whose, const std::string& resource_version);
// `wanted` as it may be written to what is there: of a person's object neither owner nor managed-by label are changed.
Json as_may_be_written(Json wanted, Whose whose);

}  // namespace twinspan::controllers
