// One TCP or TLS connection: non-blocking underneath, with a deadline for whole exchanges and a waker. Private to this
// room.
#pragma once
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "net/tls.hpp"

namespace twinspan::net {

// An eventfd that ends every wait of the connections that look at it.
class Waker {
 public:
  Waker();
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;
  void wake();  // any thread
  void reset();
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

enum class End { kNone, kClosed, kTimeout, kCancelled, kFailed };

// Used by one thread at a time. Does not own the descriptor, which must be non-blocking.
class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  Connection(int fd, SslSession session, const Waker& waker);

  // No wait lasts beyond `deadline`, and none longer than `silence` (zero: no limit).
  void limit(Clock::time_point deadline, std::chrono::milliseconds silence);
  bool connect_tls();  // client's side of the handshake
  bool accept_tls();   // server's side
  bool flush();        // writes are gathered, so that a request is one packet
  void say_goodbye();  // TLS close_notify, as far as it goes without waiting
  // Every later read and write fails: the peer sees a cut.
  void fail(std::string reason = "cut on request");
  void stop_early();           // what was to be sent ends here: every later read and write fails with kCancelled
  bool has_input() const;      // bytes that were received and not read yet
  bool idle_is_clean() const;  // between two requests: neither closed nor holding bytes nobody asked for
  End end() const { return end_; }
  const std::string& reason() const { return reason_; }
  const SSL* session() const { return session_.get(); }

  // The next bytes, at most `most`, without a copy: valid until the next read. Empty: the other side closed (end() is
  // kNone) or the connection failed.
  std::string_view take(size_t most);
  bool read_line(std::string& line, size_t most);           // up to CRLF or LF, which is left out; longer lines fail
  bool send(std::string_view head, std::string_view body);  // at once, in as few packets as there are

  bool write(std::string_view data);  // gathered: flush() sends it
 private:
  bool fill(size_t wanted);  // the input, which must be used up
  bool wait(short events);
  bool handshake(int (*step)(SSL*));
  ssize_t receive(char* data, size_t size);  // >0, 0: end of stream, <0: see end_
  bool transmit(const char* data, size_t size);
  ssize_t stop(End end, std::string reason);

  int fd_;
  SslSession session_;
  const Waker& waker_;
  Clock::time_point deadline_ = Clock::time_point::max();
  std::chrono::milliseconds silence_{0};
  End end_ = End::kNone;
  std::string reason_;
  std::vector<char> input_;
  size_t input_at_ = 0, input_end_ = 0;
  std::string output_;
};

std::string remote_ip_of(int fd);  // of a connected socket; empty: it is none any more

}  // namespace twinspan::net
