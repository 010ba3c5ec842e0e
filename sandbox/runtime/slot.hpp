// One container of a pod over its restarts: starting, probing, stopping, back-off.
#pragma once
#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/json.hpp"
#include "sandbox/runtime/container.hpp"
#include "sandbox/runtime/probe.hpp"
#include "sandbox/runtime/status.hpp"

namespace twinspan::sandbox {

struct SlotSettings {
  std::filesystem::path shim, log_folder;
  std::chrono::milliseconds backoff_base{1000}, backoff_limit{60000};
};

// Used on the pod's thread only, but for container() and log_file().
class Slot {
 public:
  using Plan = std::function<Result<Launch>(const Json& container)>;  // kUnavailable: something is missing yet;
                                                                      // kNotFound: no such image
  // `restart_policy`: Always, OnFailure or Never. `wake` is called from any thread when step() has something to do.
  Slot(Json container, std::string restart_policy, std::string pod_ip, const SlotSettings& settings, const Clock& clock,
       std::function<void()> wake);
  ~Slot();

  // Brings it on: notices an end, starts or restarts it with a launch from `plan`, reads probes, restarts what is not
  // alive.
  void step(const Plan& plan);
  // Asks it to stop: SIGTERM, SIGKILL to all after `grace`. It is not started again. A shorter grace later counts.
  void stop(std::chrono::milliseconds grace);
  // After stop(): kills when the time has come, notices the end.
  void step_stopping();
  bool stopped() const { return !process_; }
  std::optional<BootTime> next_step() const;  // when step() should be called at the latest
  const ContainerRecord& record() const { return record_; }
  std::shared_ptr<Container> container() const;  // any thread; null while it does not run
  std::filesystem::path log_file(bool previous) const;

 private:
  void start(const Plan& plan);
  bool notice_end();
  void read_probes();
  void schedule_restart();

  Json spec_;
  std::string restart_policy_, pod_ip_;
  SlotSettings settings_;
  const Clock& clock_;
  std::function<void()> wake_;
  ContainerRecord record_;
  mutable std::mutex mutex_;  // of process_ against container()
  std::shared_ptr<Container> process_;
  std::unique_ptr<Prober> startup_, readiness_, liveness_;
  std::atomic<int> attempt_{0};  // numbers the log files; read by log_file() on any thread
  int failures_ = 0;             // restarts in a row, for the back-off
  BootTime started_boot_;
  std::optional<BootTime> restart_at_, kill_at_, retry_at_;
  std::filesystem::path last_words_;  // of the newest run
};

}  // namespace twinspan::sandbox
