// Lines over a Unix socket. Private to this room.
#pragma once
#include <sys/un.h>

#include <optional>
#include <string>

namespace twinspan::postgres {

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

std::optional<sockaddr_un> socket_address(const std::string& path);  // nullopt: the path is too long for one
bool write_line(int fd, std::string_view line);
std::optional<std::string> read_line(int fd);  // nullopt: the other side is gone, or says too much

}  // namespace twinspan::postgres
