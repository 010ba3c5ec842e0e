#include "net/lobby.hpp"

#include <poll.h>

namespace twinspan::net {

Lobby::Lobby() {
  thread_.start([this](const std::stop_token& stop) { run(stop); });
}
Lobby::~Lobby() { stop(); }

void Lobby::stop() {
  if (!thread_.started()) return;
  thread_.request_stop();
  waker_.wake();
  thread_.stop();
  std::map<int, Guest> left;
  {
    MutexLock lock(mutex_);
    left.swap(guests_);
  }
  for (auto& [fd, guest] : left) guest.streaming ? guest.gone() : guest.ready(false);
}

void Lobby::wait_for_input(int fd, std::chrono::milliseconds time, Ready ready) {
  Guest guest;
  guest.until = Connection::Clock::now() + time;
  guest.ready = std::move(ready);
  {
    MutexLock lock(mutex_);
    if (thread_.stopping()) {
      // Falls through: answered outside the lock.
    } else {
      guest.number = ++arrivals_;
      guests_.insert_or_assign(fd, std::move(guest));
      waker_.wake();
      return;
    }
  }
  guest.ready(false);
}

void Lobby::watch_for_close(int fd, std::function<void()> gone) {
  MutexLock lock(mutex_);
  if (thread_.stopping()) {
    lock.unlock();
    gone();
    return;
  }
  Guest guest;
  guest.streaming = true;
  guest.number = ++arrivals_;
  guest.gone = std::move(gone);
  guests_.insert_or_assign(fd, std::move(guest));
  waker_.wake();
}

void Lobby::forget(int fd) {
  MutexLock lock(mutex_);
  guests_.erase(fd);
  waker_.wake();
}

void Lobby::run(const std::stop_token& stop) {
  using std::chrono::milliseconds;
  std::vector<pollfd> fds;
  std::vector<uint64_t> numbers;
  while (!stop.stop_requested()) {
    fds.assign(1, {waker_.fd(), POLLIN, 0});
    numbers.assign(1, 0);
    auto next = Connection::Clock::time_point::max();
    {
      MutexLock lock(mutex_);
      for (const auto& [fd, guest] : guests_) {
        fds.push_back({fd, static_cast<short>(guest.streaming ? POLLRDHUP : POLLIN | POLLRDHUP), 0});
        numbers.push_back(guest.number);
        next = std::min(next, guest.until);
      }
    }
    int time = -1;
    if (next != Connection::Clock::time_point::max())
      time = static_cast<int>(
          std::max<long long>(0, std::chrono::ceil<milliseconds>(next - Connection::Clock::now()).count()));
    poll(fds.data(), fds.size(), time);
    if (fds[0].revents) waker_.reset();
    const auto now = Connection::Clock::now();
    std::vector<std::pair<Ready, bool>> called;
    {
      // `gone` runs under the lock, so that forget() waits for it; it only sets a stop token.
      MutexLock lock(mutex_);
      for (size_t i = 1; i < fds.size(); ++i) {
        const auto found = guests_.find(fds[i].fd);
        if (found == guests_.end() || found->second.number != numbers[i]) continue;
        const bool happened = fds[i].revents != 0;
        if (!happened && found->second.until > now) continue;
        if (found->second.streaming) {
          found->second.gone();
        } else {
          called.emplace_back(std::move(found->second.ready), happened);
        }
        guests_.erase(found);
      }
    }
    for (auto& [ready, readable] : called) ready(readable);
  }
}

}  // namespace twinspan::net
