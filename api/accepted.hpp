// The spec that is acted upon: the last one that was found to be right (status.accepted), whatever `spec` says by now.
// Pure.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "api/types.hpp"

namespace twinspan::api {

// A link as its workers obey it: `spec` is the accepted one and metadata.generation that of its acceptance. Where none
// was accepted, an older operator looks after the link: then the spec as it stands. kInvalid names the field.
struct ObeyedLink : ReplicationLink {
  std::optional<LinkSpec> tried;  // the newest spec, while status.trial asks an endpoint to try it
  bool refused = false;           // nothing was accepted, and the spec is not right: it must not be carried out
};
Result<ObeyedLink> parse_obeyed_link(const Json& json);

// The settings that `endpoint` tries of the newest spec: its own where they change, else those of the first endpoint
// whose settings do (the primary's, which are tried by a replica).
std::map<std::string, std::string> tried_parameters(const LinkSpec& accepted, const LinkSpec& newest,
                                                    const std::string& endpoint);

// nullopt: none was ever accepted, or what was is of a version that knew other fields.
std::optional<PolicySpec> spec_in_force(const FailoverPolicy& policy);

// Whether `accepted` is what accept() makes of the spec: where a version that knew fewer fields accepted it, or where
// what is filled in for absent ones has changed since, workers would obey another one than the operator does.
bool is_accepted_as(const Json& accepted, const LinkSpec& spec);
bool is_accepted_as(const Json& accepted, const PolicySpec& spec);

// What tells one trial from every other, also from one of the same second: agents say with it which one they speak of.
std::string attempt_of(const TrialStatus& trial);

// status.accepted of a spec.
AcceptedSpec accept(const LinkSpec& spec, int64_t generation);
AcceptedSpec accept(const PolicySpec& spec, int64_t generation);

}  // namespace twinspan::api
