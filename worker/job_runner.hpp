// The action thread: one job at a time, so that renewal and fencing never wait for one.
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/clock.hpp"
#include "core/wait.hpp"
#include "worker/jobs.hpp"

namespace twinspan::worker {

class JobRunner {
 public:
  using OnDone = std::function<void(const Job& job, const Status& outcome)>;  // called on its thread after each job

  JobRunner(Jobs& jobs, const Clock& clock, OnDone on_done);
  ~JobRunner();  // stops the job under way
  void start();
  void stop();

  // What runs now; nullopt: nothing.
  std::optional<Job> running() const;
  // False while another job runs, or while this one, having failed, is not due again (back-off, doubling up to 10 s).
  bool submit(Job job, std::shared_ptr<const Desired> desired);
  void cancel();                                         // the running one; it still ends in its own time
  std::optional<BootTime> due_at(const Job& job) const;  // when a failed job may be tried again

 private:
  void run(const std::stop_token& stop);

  Jobs& jobs_;
  const Clock& clock_;
  const OnDone on_done_;
  mutable std::mutex mutex_;
  std::optional<Job> job_;
  std::shared_ptr<const Desired> desired_;
  std::stop_source stop_job_;
  std::string failed_;  // the job that failed last, by name
  int failures_ = 0;
  BootTime not_before_{};
  Signal wake_;
  std::jthread thread_;
};

}  // namespace twinspan::worker
