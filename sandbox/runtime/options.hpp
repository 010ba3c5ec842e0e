// How the process runtime is set up.
#pragma once
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kube/config.hpp"
#include "sandbox/runtime/container.hpp"
#include "sandbox/runtime/launch.hpp"

namespace twinspan::sandbox {

struct RuntimeOptions {
  kube::Config api;  // as an administrator
  std::filesystem::path
      state;  // pods' and claims' folders, logs. Short: a Unix socket's path has at most 107 characters
  std::string
      pod_network;  // "127.20.3.": the fourth number is the pod's. Empty: one that no other runtime of this machine has
  std::vector<ImageProgram> images;
  std::string node = "sandbox";
  std::optional<Account> account = pod_account();
  std::filesystem::path shim = default_shim();
  std::chrono::milliseconds backoff_base{1000}, backoff_limit{60000};  // of restarts
  bool endpoints = true;  // be the controller of EndpointSlices, Services' forwarders, claims and StatefulSets; false
                          // where the cluster has its own
};

}  // namespace twinspan::sandbox
