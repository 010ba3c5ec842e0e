// From what the agent knows to what it says of itself. Pure.
#pragma once
#include <chrono>
#include <string>

#include "failover/log/member.hpp"
#include "failover/report.hpp"
#include "worker/postgres/desired.hpp"
#include "worker/postgres/local.hpp"

namespace twinspan::worker {

struct StatusInput {
  const Local& local;
  const Desired* desired;  // nullptr: the link is not known yet
  const MemberView& view;
  const MemberAction& action;
  std::string address;
  std::chrono::nanoseconds disk_waiting{0};  // DiskProbe::waiting()
  BootTime now{};
};

MemberReport member_report(const StatusInput& input);

// A replica whose upstream has removed the log that it needs next, and which may be cloned anew: not while the link is
// paused, nor where the copy has no room beside the old data.
bool may_clone_for_log(const Local& local, const MemberView& view, const Desired& desired);

// A primary that accepts writes; a replica that streams, or still answers reads within the lag bound.
bool is_ready(const MemberReport& report, double lag_seconds_max);

}  // namespace twinspan::worker
