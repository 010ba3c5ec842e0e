// What the demo does to a link, step by step: the same steps serve the integration tests and the benchmark.
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "contract/names.hpp"
#include "core/json.hpp"
#include "core/result.hpp"
#include "sandbox/demo/cluster.hpp"
#include "sandbox/demo/progress.hpp"
#include "sandbox/demo/writer.hpp"

namespace twinspan::sandbox {

struct FailoverFigures {
  std::string from, to;
  std::chrono::milliseconds outage{0};  // kill of the postmaster until the client's next acknowledged write
  std::chrono::milliseconds rejoin{0};  // kill until the old primary streams again
  std::optional<int64_t> recorded_milliseconds, lost_bytes;  // what the policy's history says
  uint64_t acknowledged = 0;                                 // writes in all, when they were compared
  uint64_t lost = 0;                                         // acknowledged ones that the new primary does not have
  Json history;                                              // the policy's newest record
};

struct SwitchoverFigures {
  std::string from, to;
  std::chrono::milliseconds pause{0};  // the longest time between two acknowledgements
  uint64_t acknowledged = 0, lost = 0;
  Json history;
};

class Scenario {
 public:
  Scenario(DemoCluster& cluster, Progress& progress, kube::Key link, std::stop_token stop)
      : cluster_(cluster), progress_(progress), link_(std::move(link)), stop_(std::move(stop)) {}

  Result<Json> link();
  Result<Json> policy();
  kube::Key pod(const std::string& endpoint) const { return {link_.ns, pod_name(link_.name, endpoint)}; }
  std::string primary();  // by the link's status; empty: none
  // One primary and every other endpoint streaming from it, Ready=True, nothing under way.
  Status wait_streaming(std::chrono::milliseconds patience, const std::string& what = "primary and replicas stream");
  // Through the Service that the policy names for the primary, as the owner.
  Result<WriterTarget> writer_target(std::chrono::milliseconds patience);
  // SIGKILL to the primary's postmaster while `writer` writes; ends when writes are acknowledged again by another
  // endpoint and compared.
  Result<FailoverFigures> fail_over(Writer& writer, const WriterTarget& target);
  // Then: everything streams again, and the record of it is in the history.
  Status wait_rejoined(FailoverFigures& figures, std::chrono::milliseconds patience);
  Result<SwitchoverFigures> switch_over(Writer& writer, const WriterTarget& target, const std::string& to);

 private:
  std::string what_is_missing();
  Status wait_history(const std::string& to, Json& record);

  DemoCluster& cluster_;
  Progress& progress_;
  kube::Key link_;
  std::stop_token stop_;
  std::chrono::steady_clock::time_point killed_at_;
};

// The steps of a record with the milliseconds since its detection, one a line.
std::string render_timeline(const Json& record);

}  // namespace twinspan::sandbox
