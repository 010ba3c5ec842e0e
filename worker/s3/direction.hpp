// Which way a link's objects go, as status.assignment says. Pure.
#pragma once
#include <string>
#include <vector>

#include "api/types.hpp"

namespace twinspan::worker_s3 {

struct Direction {
  int64_t epoch = 1;    // of the assignment; without one it is as if the first had been made
  std::string primary;  // everything is carried from there to every other endpoint
  // Nothing was ever carried another way: the primary has everything that any target has.
  bool first = true;
  // The epoch before this one had the same primary: what was true of its copies is true now.
  bool same_as_before = false;
  // A switchover: before it, a full sync to the new primary has found nothing left, while no client wrote.
  bool clean = false;
  // For so long after it began, what clients still write to the former primary is brought along.
  int64_t both_ways_seconds = 0;
  std::string previous{};  // the primary of the epoch before; empty: there was none
  bool operator==(const Direction&) const = default;
};

// Of an assignment that can't be read (contract/assignment.hpp): no primary, so that nothing is carried.
Direction direction_of(const api::ReplicationLink& link);
// nullptr: the link has no such endpoint.
const api::Endpoint* endpoint_of(const api::LinkSpec& spec, const std::string& name);
std::vector<api::Endpoint> endpoints_of(const api::LinkSpec& spec);  // the source first

}  // namespace twinspan::worker_s3
