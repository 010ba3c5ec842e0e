#include "engines/postgres/archive/request.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "engines/postgres/archive/socket.hpp"

namespace twinspan::postgres {

std::string_view to_string(StoreAnswer answer) { return answer == StoreAnswer::kStored ? "stored" : "ending"; }

StoreAnswer ask_to_store(const std::string& socket_path, const std::string& file) {
  constexpr std::chrono::milliseconds kAgain{200};
  for (;; std::this_thread::sleep_for(kAgain)) {
    const auto address = socket_address(socket_path);
    const Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!address || socket.fd() < 0 ||
        connect(socket.fd(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
      continue;
    if (!write_line(socket.fd(), file)) continue;
    const std::optional<std::string> answer = read_line(socket.fd());
    for (const StoreAnswer known : {StoreAnswer::kStored, StoreAnswer::kEnding})
      if (answer == to_string(known)) return known;
  }
}

}  // namespace twinspan::postgres
