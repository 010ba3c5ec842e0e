// Accepts connections. Private to this room.
#pragma once
#include <functional>
#include <string>

#include "core/result.hpp"
#include "core/role_thread.hpp"
#include "net/connection.hpp"

namespace twinspan::net {

class Listener {
 public:
  ~Listener() { stop(); }
  // `accepted` owns the descriptor, which is non-blocking and not inherited; it is called on the listener's thread and
  // must not wait. `port` 0: any free one. kUnavailable names the address and the system's reason.
  Status start(const std::string& address, int port, std::function<void(int fd)> accepted);
  void stop();
  int port() const { return port_; }

 private:
  void run(const std::stop_token& stop);

  int fd_ = -1, port_ = 0;
  std::function<void(int fd)> accepted_;
  Waker waker_;
  RoleThread thread_{"http-listener"};
};

}  // namespace twinspan::net
