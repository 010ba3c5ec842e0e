// What the operator is told by flags, and by environment variables where a flag is absent.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "controllers/link/network_rules.hpp"
#include "core/log.hpp"
#include "core/result.hpp"

namespace twinspan {

struct ListenAddress {  // "HOST:PORT" to listen on; host empty: every address
  std::string host;
  int port = 0;
};
// kInvalid names the text. "[::1]:8080", ":8080", "127.0.0.1:8080"; port 0: any free one.
Result<ListenAddress> parse_listen_address(const std::string& text);

struct Options {
  std::vector<std::string> watch_namespaces;  // empty: all
  std::string worker_image = "twinspan-worker:latest";
  std::string s3_worker_image = "twinspan-operator:latest";
  std::string worker_image_pull_policy;
  size_t links_rolling_most = 10;
  std::vector<std::string> worker_image_pull_secrets;
  std::optional<controllers::NetworkRules> worker_network_policies;  // nullopt: none are made
  ListenAddress health{"", 8081};
  ListenAddress metrics{"", 8080};
  bool metrics_secure = false;                       // over TLS alone, for tokens that may get /metrics
  std::string metrics_service = "twinspan-metrics";  // what its certificate is for, in the operator's own namespace
  std::string metrics_certificate_dir;               // set: as Webhook's
  bool leader_elect = false;
  std::string leader_election_namespace;  // empty: the operator's own
  // How long a leader that died keeps others from acting: at the worst a failover waits so long, and two retries. Its
  // writes have preconditions, so that losing it to a slow API server costs a restart and nothing else.
  int leader_election_lease_seconds = 8;
  log::Level log_level = log::Level::kInfo;
  std::string kubeconfig;          // empty: $KUBECONFIG, the pod's own account, ~/.kube/config
  int change_trial_seconds = 300;  // until who tries a change must be back
  struct Webhook {
    std::optional<ListenAddress> address;  // nullopt: none is served
    std::string service = "twinspan";      // what the API server calls it by, in `ns`
    std::string ns;                        // empty: the operator's own
    std::string secret;                    // of our own authority; empty: SERVICE-ca
    std::string configuration;             // both of this name are told whom to trust; empty: neither
    std::string certificate_dir;           // set: tls.crt and tls.key are read from there, and no authority is made
  } webhook;
  int link_workers = 4;
  int failover_workers = 4;
  bool pretend_workers = false, pretend_busy = false;
};

// Either what to run with, or what to print before leaving with `code` (help, version, a wrong flag).
struct Leave {
  int code = 0;
  std::string text;
};
std::expected<Options, Leave> parse_options(int argc, const char* const* argv);

}  // namespace twinspan
