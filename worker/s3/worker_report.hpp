// From what the runs say to what the worker says of itself. Pure.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "failover/report.hpp"
#include "worker/s3/target_run.hpp"

namespace twinspan::worker_s3 {

struct ReportInput {
  const api::ReplicationLink* link = nullptr;  // nullptr: not known yet
  std::string unreadable;                      // why what is known can't be obeyed
  std::string endpoint = "s3";                 // who we are among the link's workers: "s3", "s3-1" …
  std::string instance, address;
  bool holds_lease = false;
  std::string lease_holder;  // who has it instead
  Division division{};
  std::set<int> shares{};               // that are copied here
  std::vector<TargetSnapshot> targets;  // one for each target and share
  std::string verify_request;           // the annotation's value that the last verification answers; empty: none
};

// When every target and share had a verification's result; nullopt: one never had, or is at it again.
std::optional<WallTime> verified_at(const std::vector<TargetSnapshot>& targets);

// `details`: {"division": {"generation", "shares"}, "shares": [0], "endpoints": [EndpointStatus], "sync": SyncStatus,
// "verification": VerificationStatus, "stalled": {"reason", "message"}}, as the CRD has them. Endpoints have one row
// for each share.
MemberReport worker_report(const ReportInput& input);

// What /metrics says, in the text format of Prometheus.
std::string metrics_text(const std::string& ns, const std::string& link, const MemberReport& report,
                         const std::vector<TargetSnapshot>& targets);

}  // namespace twinspan::worker_s3
