// What every member last said of itself: its agent's GET /status, pulled over mutual TLS. Shared by the controllers.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "controllers/reports/status_probe.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"
#include "failover/report.hpp"
#include "kube/resource.hpp"

namespace twinspan::controllers {

// One member as seen from here. All that is known, and since when: silence is for the reader to judge.
struct Seen {
  std::optional<MemberReport> report;  // the last one that arrived; nullopt: none since this pod is watched
  BootTime asked_at{};                 // when the question was sent that `report` answers
  BootTime received_at{};              // when it arrived; without a report: since when the pod is watched
  BootTime told_at{};                  // when a report last differed in its details: a member that hangs repeats itself
  BootTime attempted_at{};             // when the last attempt, good or bad, was over
  int failures = 0;                    // attempts that failed since the last report
  std::string error;                   // why the last of them failed; empty where failures == 0
  bool operator==(const Seen&) const;
};

// Whether a reader that trusts what was said for `trusted` has to look again though no word of it differs: it was too
// old meanwhile, or is repeated by a member that hangs and has just become too old.
bool trust_turned(const Seen& before, const Seen& after, std::chrono::milliseconds trusted);

struct ReportsConfig {
  size_t threads = 16;  // polls at once; at most half of them for members that did not answer
  std::chrono::milliseconds steady_interval{500};  // from the end of one poll to the next
  std::chrono::milliseconds changing_interval{250};
};

// Polls from a bounded pool of threads, each member at most once at a time. Any thread may call any method; none but
// await_refresh() blocks. A member is named by its link's key and its endpoint.
class WorkerReports {
 public:
  // Called on a poll's thread after each attempt, and only enqueues. `before` is nullopt at the first.
  using Listener = std::function<void(const kube::Key& link, const std::string& endpoint,
                                      const std::optional<Seen>& before, const Seen& after)>;
  using ProbeFactory = std::function<std::unique_ptr<StatusProbe>(const Target&)>;

  WorkerReports(ReportsConfig config, const Clock& clock, ProbeFactory make_probe = http_status_probe);
  ~WorkerReports();  // stops

  void add_listener(Listener listener);  // before start()
  void start();
  void stop();  // cancels polls under way and joins; latest() still answers

  // Begins to poll, at once. The same target again changes nothing; another pod or address forgets what the old one
  // said.
  void watch(const kube::Key& link, const std::string& endpoint, Target target);
  void forget(const kube::Key& link, const std::string& endpoint);
  void forget(const kube::Key& link);

  std::optional<Seen> latest(const kube::Key& link, const std::string& endpoint) const;  // nullopt: not watched
  // Whether a change is under way: its members are polled at changing_interval as long as `changing`.
  void set_changing(const kube::Key& link, bool changing);
  // Polls every member of the link now.
  void refresh(const kube::Key& link);
  // refresh(), then waits until each member was asked after this call began. False where `limit` passed or `stop` was
  // set first.
  bool await_refresh(const kube::Key& link, std::chrono::milliseconds limit, const std::stop_token& stop);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::controllers
