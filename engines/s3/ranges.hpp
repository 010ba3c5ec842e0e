// How a bucket's keys are divided among those who list it. Any division is correct; these are balanced.
#pragma once
#include <optional>
#include <stop_token>
#include <vector>

#include "engines/s3/listing.hpp"

namespace twinspan::s3 {

// All keys, divided where rules' prefixes begin and end, those of the highest priority first. Pure.
std::vector<KeyRange> ranges_by_priority(const std::vector<PriorityRule>& rules);

// A key that divides what comes after `at` and up to `upto` about where the most significant character changes: what is
// beyond it isn't empty. nullopt: nothing beyond `at` differs. A handful of requests for one key each.
Result<std::optional<std::string>> split_point(const Side& side, std::string_view at, std::string_view upto,
                                               std::stop_token stop);

}  // namespace twinspan::s3
