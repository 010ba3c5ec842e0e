// The action thread: one job at a time, so that renewal and fencing never wait for one.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "worker/postgres/jobs.hpp"

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
  mutable Mutex mutex_;
  std::optional<Job> job_ GUARDED_BY(mutex_);
  std::shared_ptr<const Desired> desired_ GUARDED_BY(mutex_);
  std::stop_source stop_job_ GUARDED_BY(mutex_);
  std::optional<Job> failed_ GUARDED_BY(mutex_);  // the job that failed last
  int failures_ GUARDED_BY(mutex_) = 0;
  BootTime not_before_ GUARDED_BY(mutex_){};
  Signal wake_;
  RoleThread thread_{"jobs"};
};

}  // namespace twinspan::worker
