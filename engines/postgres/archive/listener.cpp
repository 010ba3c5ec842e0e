#include "engines/postgres/archive/listener.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engines/postgres/archive/socket.hpp"

namespace twinspan::postgres {

StoreListener::StoreListener(std::string socket_path, Store store)
    : path_(std::move(socket_path)), store_(std::move(store)) {}

StoreListener::~StoreListener() { stop(); }

Status StoreListener::start() {
  const auto address = socket_address(path_);
  if (!address) return fail(Code::kInvalid, fmt::format("{}: too long for a socket's path", path_));
  unlink(path_.c_str());
  listening_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listening_ < 0 || bind(listening_, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      chmod(path_.c_str(), 0600) != 0 || listen(listening_, 8) != 0)
    return fail(Code::kInternal, fmt::format("listen at {}: {}", path_, std::strerror(errno)));
  thread_.start([this](const std::stop_token& stop) { run(stop); });
  return {};
}

void StoreListener::stop() {
  thread_.stop();
  if (listening_ >= 0) close(listening_);
  listening_ = -1;
}

void StoreListener::run(const std::stop_token& stop) {
  constexpr int kLookAround = 100;  // milliseconds
  while (!stop.stop_requested()) {
    pollfd waiting{listening_, POLLIN, 0};
    if (poll(&waiting, 1, kLookAround) <= 0) continue;
    const Socket socket(accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC));
    if (socket.fd() < 0) continue;
    pollfd speaks{socket.fd(), POLLIN, 0};
    if (poll(&speaks, 1, 1000) <= 0) continue;
    const auto file = read_line(socket.fd());
    if (!file) continue;
    const auto gone = [&] {
      char byte = 0;
      return recv(socket.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
    };
    if (const auto answer = store_(*file, gone, stop)) (void)write_line(socket.fd(), to_string(*answer));
  }
}

}  // namespace twinspan::postgres
