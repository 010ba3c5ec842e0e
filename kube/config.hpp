// Where the API server is and who we are there.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace twinspan::kube {

struct Config {
  std::string server;  // "https://10.96.0.1:443"
  std::string ca_pem;
  bool insecure_skip_tls_verify = false;
  std::string tls_server_name;  // checked instead of the host where set
  std::string token;
  std::string token_file;  // re-read at least every minute: projected tokens rotate
  std::string client_certificate_pem, client_key_pem;
  struct Exec {  // a credential plugin (client.authentication.k8s.io/v1)
    std::string command, api_version;
    std::vector<std::string> args;
    std::vector<std::pair<std::string, std::string>> env;
  } exec;  // command empty: none
  std::string default_namespace = "default";
  std::string user_agent = "twinspan";
  std::chrono::milliseconds request_timeout{10000};  // of one call, repetitions included; of one page of a list
  size_t connections = 8;                            // kept and shared by requests; watches have their own
  double requests_per_second = 0;  // 0: no limit of the client's own; the server's priority and fairness rules
};

// The pod's own service account; kUnavailable outside a cluster.
Result<Config> in_cluster_config();
// `path` empty: $KUBECONFIG (colon-separated, merged as kubectl does), then ~/.kube/config. `context` empty: the
// current one.
Result<Config> kubeconfig(const std::string& path, const std::string& context);
// $KUBECONFIG where set, else in-cluster, else ~/.kube/config.
Result<Config> default_config();

}  // namespace twinspan::kube
