// From what the agent knows to what it says of itself. Pure.
#pragma once
#include <string>

#include "failover/member.hpp"
#include "failover/report.hpp"
#include "worker/desired.hpp"
#include "worker/local.hpp"

namespace twinspan::worker {

struct StatusInput {
  const Local& local;
  const Desired* desired;  // nullptr: the link is not known yet
  const MemberView& view;
  const MemberAction& action;
  std::string address;
};

MemberReport member_report(const StatusInput& input);

// A primary that accepts writes; a replica that streams, or still answers reads within the lag bound.
bool is_ready(const MemberReport& report, double lag_seconds_max);

}  // namespace twinspan::worker
