// libFuzzer: whatever bytes a peer sends, net/message reads them within bounds, and reads the same however they arrive.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "net/message.hpp"

// No connection here has TLS, and net/tls.cpp is more than this clang compiles.
std::string twinspan::net::take_ssl_error() { return "TLS"; }

namespace {

using namespace twinspan::net;

constexpr size_t kPiecesMost = 128;  // what a socket's buffer takes without a reader

[[noreturn]] void broken(const char* what) {
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// Everything that was read of one connection, as text.
std::string transcript(std::string_view bytes, size_t piece) {
  int ends[2];
  // Each read of a sequenced packet gives one piece, and no more.
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) != 0) broken("socketpair");
  for (size_t at = 0; at < bytes.size(); at += piece)
    if (send(ends[1], bytes.data() + at, std::min(piece, bytes.size() - at), 0) < 0) broken("the buffer is too small");
  close(ends[1]);

  std::string said;
  {
    static const Waker waker;
    Connection connection(ends[0], nullptr, waker);
    MessageHead head;
    while (read_head(connection, head)) {
      said += head.start + "\n";
      const int status = status_of(head.start);
      if (status != 0 && (status < 100 || status > 999)) broken("a status of other than three digits");
      said += std::to_string(status) + (names_close(head) ? " close\n" : "\n");
      for (const auto& [name, value] : head.headers) {
        if (!is_token(name) || value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
          broken("a header that another program reads differently");
        said += name + ": " + value + "\n";
      }
      Framing framing;
      if (!framing_of(connection, head.headers, framing)) break;
      if (framing.chunked && framing.length) broken("two lengths");
      if (!framing.chunked && !framing.length) continue;  // a request without a body
      uint64_t size = 0;
      bool ended = false;
      const bool whole = read_body(
          connection, framing,
          [&](std::string_view part) {
            if (part.empty()) broken("an empty piece");
            size += part.size();
            said += part;
            return true;
          },
          ended);
      if (ended) broken("ended by nobody");
      if (framing.length && (size > *framing.length || (whole && size != *framing.length))) broken("another length");
      said += whole ? "\nwhole\n" : "\ncut\n";
      if (!whole) break;
    }
    said += connection.reason();
  }
  close(ends[0]);
  return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t piece = std::max(1 + static_cast<size_t>(data[0]), bytes.size() / kPiecesMost + 1);
  if (transcript(bytes, std::max<size_t>(bytes.size(), 1)) != transcript(bytes, piece))
    broken("how the bytes arrive makes a difference");
  return 0;
}
