// An embedded Kubernetes API, for trying out and testing only: in memory, one process, no persistence. Speaks
// Kubernetes HTTP well enough for kubectl, and is stricter than the real server where strictness finds mistakes
// (ARCHITECTURE.md).
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "kube/config.hpp"
#include "net/http.hpp"
#include "sandbox/api/faults.hpp"

namespace twinspan::sandbox {

struct ApiOptions {
  std::string address = "127.0.0.1";
  int port = 0;           // 0: any free one
  bool tls = true;        // false: plain HTTP, and whoever shows no token is the administrator
  size_t history = 8192;  // events kept per resource
  std::chrono::milliseconds bookmark_interval{10000};
  std::chrono::seconds watch_timeout{1800};         // where the client names none
  std::chrono::milliseconds collect_interval{500};  // the garbage collector's longest pause
  size_t threads = 512;
  int service_network = 0;  // Services get 127.96.N.10 and what follows: sandboxes of one machine differ (NetworkLane)
};

// A call on a pod that only who runs pods can answer.
struct PodCall {
  std::string ns, name;
  std::string action;  // "log", "exec"
  const net::IncomingRequest& http;
};
using PodHandler = std::function<net::OutgoingResponse(const PodCall&)>;

class ApiServer {
 public:
  explicit ApiServer(ApiOptions options = {});
  ~ApiServer();  // stops

  Status start();
  void stop();

  // The administrator's access. Valid once started; stays valid over close_listener and open_listener.
  kube::Config config() const;
  std::string kubeconfig() const;  // YAML
  // Access as a ServiceAccount; it need not exist yet, but must when the token is used.
  kube::Config config_for(const std::string& ns, const std::string& service_account);
  std::string issue_token(const std::string& ns, const std::string& service_account);
  std::string kubeconfig_for(const std::string& ns, const std::string& service_account);
  std::string url() const;
  const std::string& ca_pem() const;

  Status install_crds(const std::string& directory);  // every *.yaml in it
  void handle_pods(PodHandler handler);               // before or after start; replaces the last one

  // Faults.
  void inject(const FaultRule& rule);
  void clear_faults();
  size_t fault_hits() const;
  void compact();          // 410 for whoever has not seen the present
  void close_listener();   // as if the API server were away: connections break, new ones are refused
  Status open_listener();  // back at the same port, with everything it stored

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::sandbox
