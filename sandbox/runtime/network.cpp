#include "sandbox/runtime/network.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace twinspan::sandbox {

Result<NetworkLane> NetworkLane::claim() {
  constexpr uint16_t kClaimPort = 20961;
  for (int number = 1; number <= 250; ++number) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) break;
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(kClaimPort);
    where.sin_addr.s_addr = htonl((127U << 24) | (20U << 16) | (static_cast<uint32_t>(number) << 8) | 254U);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0) return NetworkLane(number, fd);
    close(fd);
  }
  return fail(Code::kUnavailable, "no free loopback network for a sandbox: 250 are running");
}

NetworkLane::NetworkLane(NetworkLane&& other) noexcept
    : number_(other.number_), socket_(std::exchange(other.socket_, -1)) {}
NetworkLane& NetworkLane::operator=(NetworkLane&& other) noexcept {
  std::swap(number_, other.number_);
  std::swap(socket_, other.socket_);
  return *this;
}
NetworkLane::~NetworkLane() {
  if (socket_ >= 0) close(socket_);
}
std::string NetworkLane::pod_network() const { return fmt::format("127.20.{}.", number_); }

}  // namespace twinspan::sandbox
