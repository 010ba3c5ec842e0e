// A whole small world in one process and its children: embedded API, process runtime, the operator as a process.
// The demo runs in it, and so do the integration tests.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/json.hpp"
#include "core/result.hpp"
#include "kube/client.hpp"
#include "sandbox/api/server.hpp"
#include "sandbox/runtime/container.hpp"
#include "sandbox/runtime/host.hpp"
#include "sandbox/runtime/network.hpp"

namespace twinspan::sandbox {

struct DemoOptions {
  std::filesystem::path state;  // empty: a fresh folder under /tmp, removed at the end
  std::filesystem::path
      programs;  // where twinspan-operator, twinspan-worker and twinspan-sandbox-shim are; empty: beside this program
  std::filesystem::path crds;                   // a folder of CustomResourceDefinitions, installed at start
  std::vector<std::string> operator_arguments;  // beside those the demo gives
};

class DemoCluster {
 public:
  DemoCluster(DemoOptions options, const Clock& clock);
  ~DemoCluster();  // ends everything
  Status start(std::stop_token stop = {});
  void stop();

  kube::Client& client() { return *client_; }
  ApiServer& api() { return *api_; }
  Runtime& runtime() { return *runtime_; }
  const std::filesystem::path& state() const { return state_; }
  std::filesystem::path kubeconfig() const { return state_ / "kubeconfig"; }

  Status start_operator();
  void kill_operator();  // SIGKILL; returns when it is gone
  bool operator_runs() const;
  // `kubectl apply -f`: every document, namespaces and all. Kinds the demo knows.
  Status apply_file(const std::filesystem::path& path);
  // The pid of the pod's PostgreSQL, from its postmaster.pid.
  Result<pid_t> postmaster(const kube::Key& pod);
  std::string operator_log_tail(size_t lines) const;
  // Says how to look at `kinds` with kubectl, and waits until `stop` is set.
  void leave_running(const std::string& kinds, const std::string& ns, const std::stop_token& stop) const;
  std::string pod_log_tail(const kube::Key& pod, size_t lines) const;

 private:
  DemoOptions options_;
  const Clock& clock_;
  std::filesystem::path state_;
  bool own_state_ = false;
  std::optional<NetworkLane> lane_;
  std::unique_ptr<ApiServer> api_;
  std::unique_ptr<kube::Client> client_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<Container> operator_;
};

}  // namespace twinspan::sandbox
