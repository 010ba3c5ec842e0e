// A FailoverPolicy whose newest spec is refused goes on as it was accepted before (status.accepted). Pure.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "api/validate.hpp"
#include "controllers/policy/route_facts.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

// The policy with the spec that was accepted last, without what it says of endpoints that the link has no longer;
// nullptr: none was accepted, or it is at odds with the link or with one of `rivals` by now.
std::shared_ptr<const api::FailoverPolicy> accepted_policy(const api::FailoverPolicy& policy,
                                                           const api::ReplicationLink& link,
                                                           const std::vector<api::FailoverPolicy>& rivals);

// For people: what is wrong with the newest spec, and what goes on.
std::string refusal_of(const api::FailoverPolicy& policy, const std::vector<api::FieldError>& errors);

// For people: what was refused, where it stands in the spec.
std::string words_of(const api::FailoverPolicy& policy, const RefusedObjects& refused);
// Into the status to be, that objects could not be written as a whole; `refused` empty: they could.
void note_refused(const api::FailoverPolicy& policy, const RefusedObjects& refused, WallTime now,
                  api::PolicyStatus& status);

// Into the status to be, what becomes of the newest spec: accepted where `refused` is empty, else Ready=False and
// Stalled=True say why not. Every other condition goes on telling the truth.
void judge_newest(const api::FailoverPolicy& policy, const std::string& refused, WallTime now,
                  api::PolicyStatus& status);

}  // namespace twinspan::controllers
