// What the person on call would want to have been told of a policy's status: Events. Pure.
#pragma once
#include <string>
#include <vector>

#include "api/types.hpp"
#include "controllers/cluster/foreign_objects.hpp"

namespace twinspan::controllers {

struct Told {
  bool warning = false;
  std::string reason, message;
  bool operator==(const Told&) const = default;
};
// Those that links of every engine have.
std::vector<Told> events_of(const api::PolicyStatus& before, const api::PolicyStatus& after);

// They differ in nothing but what conditions say in words: worth a write, but not every time.
bool differ_in_words_only(const api::PolicyStatus& before, const api::PolicyStatus& after);

// What is somebody else's among what the policy names, and what to do about it; empty: nothing.
std::string foreign_services(const api::FailoverPolicy& policy, const std::vector<Foreign>& foreign);

}  // namespace twinspan::controllers
