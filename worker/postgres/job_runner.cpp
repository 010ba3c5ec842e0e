#include "worker/postgres/job_runner.hpp"

#include <algorithm>

namespace twinspan::worker {

JobRunner::JobRunner(Jobs& jobs, const Clock& clock, OnDone on_done)
    : jobs_(jobs), clock_(clock), on_done_(std::move(on_done)) {}

JobRunner::~JobRunner() { stop(); }

void JobRunner::start() {
  thread_.start([this](const std::stop_token& stop) { run(stop); });
}

void JobRunner::stop() {
  if (!thread_.started()) return;
  cancel();
  thread_.stop();
}

std::optional<Job> JobRunner::running() const {
  MutexLock lock(mutex_);
  return job_;
}

std::optional<BootTime> JobRunner::due_at(const Job& job) const {
  MutexLock lock(mutex_);
  if (failures_ == 0 || !is_same(*failed_, job)) return std::nullopt;
  return not_before_;
}

bool JobRunner::submit(Job job, std::shared_ptr<const Desired> desired) {
  if (const auto due = due_at(job); due && clock_.boot_now() < *due) return false;
  {
    MutexLock lock(mutex_);
    if (job_) return false;
    job_ = std::move(job);
    desired_ = std::move(desired);
    stop_job_ = std::stop_source();
  }
  wake_.raise();
  return true;
}

void JobRunner::cancel() {
  MutexLock lock(mutex_);
  stop_job_.request_stop();
}

void JobRunner::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::optional<Job> job;
    std::shared_ptr<const Desired> desired;
    std::stop_token stop_job;
    {
      MutexLock lock(mutex_);
      job = job_;
      desired = desired_;
      stop_job = stop_job_.get_token();
    }
    if (!job) {
      wake_.wait(std::chrono::seconds(60), stop);
      continue;
    }
    const auto done = jobs_.run(*job, *desired, stop_job);
    {
      MutexLock lock(mutex_);
      if (done || done.error().code == Code::kCancelled) {
        if (failed_ && is_same(*failed_, *job)) failures_ = 0;
      } else {
        failures_ = failed_ && is_same(*failed_, *job) ? std::min(failures_ + 1, 10) : 1;
        failed_ = job;
        // Copying gigabytes again is not for once a second; everything else is what a failover may wait for.
        const bool heavy = std::holds_alternative<Clone>(*job) || std::holds_alternative<Rewind>(*job) ||
                           (std::holds_alternative<Initialize>(*job) && !desired->restored_by.empty());
        const std::chrono::milliseconds limit = heavy ? std::chrono::seconds(10) : std::chrono::seconds(1);
        not_before_ = clock_.boot_now() + std::min(std::chrono::milliseconds(50) * (1 << failures_), limit);
      }
      job_.reset();
      desired_.reset();
    }
    on_done_(*job, done);
  }
}

}  // namespace twinspan::worker
