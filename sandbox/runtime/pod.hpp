// One pod on this node: volumes, containers, status, its end. A thread per pod.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.hpp"
#include "core/wait.hpp"
#include "kube/client.hpp"
#include "kube/events.hpp"
#include "sandbox/runtime/caches.hpp"
#include "sandbox/runtime/options.hpp"
#include "sandbox/runtime/slot.hpp"
#include "sandbox/runtime/volumes.hpp"

namespace twinspan::sandbox {

struct PodContext {
  kube::Client& client;
  RuntimeCaches& caches;
  kube::EventRecorder& events;
  const Clock& clock;
  const RuntimeOptions& options;
};

class PodRunner {
 public:
  // `folder` is the pod's own and is removed with it.
  PodRunner(const PodContext& context, std::shared_ptr<const Json> pod, std::string pod_ip,
            std::filesystem::path folder);
  ~PodRunner();  // kills everything

  // Any thread:
  void update(std::shared_ptr<const Json> pod);  // the newest object
  void gone();                                   // the object is deleted: kill what still runs
  void poke() { signal_.raise(); }               // a Secret, ConfigMap or claim has changed
  bool finished() const { return finished_; }    // nothing of it runs and nothing is left to report
  const std::string& uid() const { return uid_; }
  const std::string& pod_ip() const { return place_.pod_ip; }
  std::shared_ptr<Container> container(const std::string& name) const;  // empty name: the first
  Result<std::filesystem::path> log_file(const std::string& container, bool previous) const;
  std::filesystem::path volume_folder(const std::string& volume) const;

 private:
  void run(const std::stop_token& stop);
  void step();
  void step_running(const Json& pod);
  void step_ending(const Json& pod);
  void publish(const Json& pod);
  Result<Launch> plan(const Json& pod, const Json& container);
  Status write_kubeconfig(const Json& pod);
  VolumeSources volume_sources();
  Result<ServiceAccountToken> mint_token(const std::string& audience, int expiration_seconds);
  std::chrono::nanoseconds until_next_step() const;
  kube::ObjectRef reference() const;

  PodContext context_;
  kube::Key key_;
  std::string uid_;
  PodPlace place_;
  std::filesystem::path folder_;
  std::string service_account_;
  Volumes volumes_;
  std::vector<std::unique_ptr<Slot>> init_slots_, slots_;
  PodRecord record_;
  Json published_;
  ServiceAccountToken api_token_;
  std::optional<BootTime> retry_at_, next_refresh_;
  std::string last_problem_;

  mutable std::mutex mutex_;
  std::shared_ptr<const Json> newest_;
  bool gone_ = false;
  std::map<std::string, std::filesystem::path> volume_folders_;
  std::atomic<bool> finished_{false};
  Signal signal_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace twinspan::sandbox
