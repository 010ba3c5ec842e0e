// Conditions of a status, by the conventions of the Kubernetes API: status.conditions is a map by type.
#pragma once
#include <string_view>
#include <vector>

#include "api/types.hpp"
#include "core/clock.hpp"

namespace twinspan::api {

// nullptr: not there.
const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type);
bool is_true(const std::vector<Condition>& conditions, std::string_view type);

// Adds the condition, or replaces the one of the same type. lastTransitionTime is `now` where `status` is new or
// changed and stays otherwise, whatever `wanted` says. Returns whether anything but observedGeneration changed.
bool set_condition(std::vector<Condition>& conditions, Condition wanted, int64_t observed_generation, WallTime now);
// Returns whether there was one.
bool remove_condition(std::vector<Condition>& conditions, std::string_view type);

}  // namespace twinspan::api
