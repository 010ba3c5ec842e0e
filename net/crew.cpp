#include "net/crew.hpp"

#include <algorithm>
#include <chrono>

#include "core/role_thread.hpp"

namespace twinspan::net {
namespace {
constexpr std::chrono::seconds kIdle{10};
}

void Crew::enqueue(std::function<void()> job) {
  MutexLock lock(mutex_);
  if (stopping_) return;
  jobs_.push_back(std::move(job));
  if (idle_ >= jobs_.size()) {
    job_.notify_one();
  } else if (working_.size() < limit_ + lent_) {
    hire();
  }
}

void Crew::hire() {
  for (std::thread& one : leaving_) one.join();  // they hold no lock any more and only end
  leaving_.clear();
  working_.emplace_back([this] { work(); });
}

void Crew::work() {
  name_this_thread("http-crew");
  MutexLock lock(mutex_);
  while (true) {
    if (jobs_.empty()) {
      if (stopping_ || working_.size() > limit_ + lent_) break;
      ++idle_;
      const bool found =
          job_.wait_for(lock.native(), kIdle, [this]() REQUIRES(mutex_) { return stopping_ || !jobs_.empty(); });
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
  const auto self = std::find_if(working_.begin(), working_.end(),
                                 [](const std::thread& one) { return one.get_id() == std::this_thread::get_id(); });
  leaving_.push_back(std::move(*self));
  working_.erase(self);
  if (working_.empty()) gone_.notify_all();
}

void Crew::stop() {
  MutexLock lock(mutex_);
  stopping_ = true;
  job_.notify_all();
  gone_.wait(lock.native(), [this]() REQUIRES(mutex_) { return working_.empty(); });
  for (std::thread& one : leaving_) one.join();
  leaving_.clear();
}

bool Crew::lend(size_t most) {
  MutexLock lock(mutex_);
  if (lent_ >= most) return false;
  ++lent_;
  if (!jobs_.empty() && idle_ == 0 && !stopping_) hire();
  return true;
}

void Crew::take_back() {
  MutexLock lock(mutex_);
  --lent_;
}

}  // namespace twinspan::net
