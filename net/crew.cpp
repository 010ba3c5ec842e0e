#include "net/crew.hpp"

#include <chrono>
#include <thread>

namespace twinspan::net {
namespace {
constexpr std::chrono::seconds kIdle{10};
}

void Crew::enqueue(std::function<void()> job) {
  std::lock_guard lock(mutex_);
  if (stopping_) return;
  jobs_.push_back(std::move(job));
  if (idle_ >= jobs_.size()) {
    job_.notify_one();
  } else if (threads_ < limit_ + lent_) {
    ++threads_;
    std::thread([this] { work(); }).detach();
  }
}

void Crew::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    if (jobs_.empty()) {
      if (stopping_ || threads_ > limit_ + lent_) break;
      ++idle_;
      const bool found = job_.wait_for(lock, kIdle, [this] { return stopping_ || !jobs_.empty(); });
      --idle_;
      if (!found) break;
      continue;
    }
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what it holds goes before the next wait
    lock.lock();
  }
  if (--threads_ == 0) gone_.notify_all();
}

void Crew::stop() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  job_.notify_all();
  gone_.wait(lock, [this] { return threads_ == 0; });
}

void Crew::lend() {
  std::lock_guard lock(mutex_);
  ++lent_;
  if (!jobs_.empty() && idle_ == 0 && !stopping_) {
    ++threads_;
    std::thread([this] { work(); }).detach();
  }
}

void Crew::take_back() {
  std::lock_guard lock(mutex_);
  --lent_;
}

}  // namespace twinspan::net
