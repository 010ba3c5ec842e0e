// Where a server's connections wait without a thread: for their next request, or, while they are streamed to, for the
// client to go away. Private to this room.
#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <vector>

#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "net/connection.hpp"

namespace twinspan::net {

class Lobby {
 public:
  using Ready =
      std::function<void(bool readable)>;  // called on the lobby's thread, once; false: time is up, or it stops

  Lobby();
  ~Lobby();
  // `ready(true)` once there is something to read or the peer closed, `ready(false)` after `time`.
  void wait_for_input(int fd, std::chrono::milliseconds time, Ready ready);
  // `gone` once the peer has closed its side. `forget` returns only when `gone` is not running.
  void watch_for_close(int fd, std::function<void()> gone);
  void forget(int fd);
  void stop();

 private:
  struct Guest {
    uint64_t number = 0;  // descriptors' numbers are used again, these are not
    bool streaming = false;
    Connection::Clock::time_point until = Connection::Clock::time_point::max();
    Ready ready;
    std::function<void()> gone;
  };
  void run(const std::stop_token& stop);

  Waker waker_;
  Mutex mutex_;
  std::map<int, Guest> guests_ GUARDED_BY(mutex_);  // by descriptor
  uint64_t arrivals_ GUARDED_BY(mutex_) = 0;
  RoleThread thread_{"http-lobby"};
};

}  // namespace twinspan::net
