#include "engines/postgres/archive/socket.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace twinspan::postgres {

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

std::optional<sockaddr_un> socket_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

bool write_line(int fd, std::string_view line) {
  const std::string text = std::string(line) + "\n";
  return send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

std::optional<std::string> read_line(int fd) {
  constexpr size_t kMost = 4096;
  std::string text;
  for (char c = 0; text.size() < kMost; text += c) {
    if (read(fd, &c, 1) != 1) return std::nullopt;
    if (c == '\n') return text;
  }
  return std::nullopt;
}

}  // namespace twinspan::postgres
