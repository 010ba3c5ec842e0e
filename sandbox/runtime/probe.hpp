// Probes of a container: when they count as passed or failed, and the threads that ask.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "core/json.hpp"

namespace twinspan::sandbox {

struct ProbeSettings {
  std::chrono::seconds initial_delay{0}, period{10}, timeout{1};
  int success_threshold = 1, failure_threshold = 3;
};

// Successes and failures in a row, as kubelet counts them: the state changes when as many in a row as the threshold say
// so.
class ProbeTally {
 public:
  ProbeTally(const ProbeSettings& settings, bool initially) : settings_(settings), passed_(initially) {}
  bool feed(bool success);  // the state after it
  bool passed() const { return passed_; }

 private:
  ProbeSettings settings_;
  bool passed_;
  bool last_ = false;
  int in_a_row_ = 0;
};

// httpGet and tcpSocket are asked at `pod_ip`; an exec or grpc probe is taken as passed, which is logged.
class Prober {
 public:
  // `probe` is a probe of the container's spec; `ports` the container's, for named ones. `changed` is called on the
  // prober's thread.
  Prober(const Json& probe, const Json& ports, std::string pod_ip, bool initially, std::function<void()> changed);
  ~Prober();  // waits for a request under way: `timeout` at most
  bool passed() const { return passed_; }
  // Consecutive failures have reached the threshold: what a liveness or startup probe restarts for.
  bool failed() const { return failed_; }

 private:
  void run(const std::stop_token& stop);
  bool ask(const std::stop_token& stop) const;

  std::string path_, scheme_, address_;
  int port_ = 0;
  enum class Way { kHttp, kTcp, kNone } way_ = Way::kNone;
  ProbeSettings settings_;
  std::function<void()> changed_;
  std::atomic<bool> passed_, failed_{false};
  std::jthread thread_;
};

}  // namespace twinspan::sandbox
