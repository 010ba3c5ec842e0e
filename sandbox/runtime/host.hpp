// The process runtime: pods as processes of this machine, Services as TCP forwarders. A client of the Kubernetes API
// like any other. For trying out and testing only: processes are not isolated from the machine nor from one another.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "kube/resource.hpp"
#include "sandbox/runtime/options.hpp"

namespace twinspan::sandbox {

class Runtime {
 public:
  Runtime(RuntimeOptions options, const Clock& clock);
  ~Runtime();  // stops
  // Waits for the first lists. Afterwards pods run until stop().
  Status start(std::stop_token stop = {});
  void stop();  // every process it started is gone when it returns

  // What `kubectl logs` shows. kNotFound: no such pod or log.
  Result<std::filesystem::path> log_file(const kube::Key& pod, const std::string& container, bool previous) const;
  // Folder of a pod's volume; empty where there is none.
  std::filesystem::path volume_folder(const kube::Key& pod, const std::string& volume) const;
  // Faults, for tests. False where no such container runs.
  bool kill(const kube::Key& pod, const std::string& container = "");    // all its processes
  bool freeze(const kube::Key& pod, const std::string& container = "");  // a node that hangs
  bool thaw(const kube::Key& pod, const std::string& container = "");
  void refuse(const std::string& pod_ip, bool refused);  // Services send no new connection there

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::sandbox
