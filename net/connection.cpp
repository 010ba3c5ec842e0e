#include "net/connection.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace twinspan::net {
namespace {

constexpr size_t kInputBytes = 16 * 1024, kOutputBytes = 16 * 1024;
constexpr size_t kLargeInputBytes = 128 * 1024;  // where a large body comes: fewer calls of the kernel

std::string text_of(int error_number) {
  char buffer[128];
  return strerror_r(error_number, buffer, sizeof buffer);
}

}  // namespace

Waker::Waker() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
Waker::~Waker() { close(fd_); }
void Waker::wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}
void Waker::reset() {
  uint64_t count = 0;
  [[maybe_unused]] const auto taken = ::read(fd_, &count, sizeof count);
}

Connection::Connection(int fd, SslSession session, const Waker& waker)
    : fd_(fd), session_(std::move(session)), waker_(waker) {
  if (session_) SSL_set_fd(session_.get(), fd_);
}

void Connection::limit(Clock::time_point deadline, std::chrono::milliseconds silence) {
  deadline_ = deadline;
  silence_ = silence;
}

ssize_t Connection::stop(End end, std::string reason) {
  if (end_ == End::kNone) {
    end_ = end;
    reason_ = std::move(reason);
  }
  return -1;
}

void Connection::fail(std::string reason) { stop(End::kFailed, std::move(reason)); }

void Connection::stop_early() { stop(End::kCancelled, "ended by the writer"); }

bool Connection::wait(short events) {
  Clock::time_point until = deadline_;
  if (silence_.count() > 0) until = std::min(until, Clock::now() + silence_);
  while (true) {
    int milliseconds = -1;
    if (until != Clock::time_point::max()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
      if (left <= 0) {
        stop(End::kTimeout, "no answer in time");
        return false;
      }
      milliseconds = static_cast<int>(std::min<long long>(left, 3'600'000));
    }
    pollfd fds[] = {{fd_, events, 0}, {waker_.fd(), POLLIN, 0}};
    const int ready = poll(fds, 2, milliseconds);
    if (ready < 0 && errno != EINTR) {
      stop(End::kFailed, "poll: " + text_of(errno));
      return false;
    }
    if (ready <= 0) continue;
    if (fds[1].revents) {
      stop(End::kCancelled, "cancelled");
      return false;
    }
    if (fds[0].revents) return true;  // errors too: the next read or write names them
  }
}

bool Connection::handshake(int (*step)(SSL*)) {
  while (true) {
    ERR_clear_error();
    const int done = step(session_.get());
    if (done == 1) return true;
    switch (SSL_get_error(session_.get(), done)) {
      case SSL_ERROR_WANT_READ:
        if (!wait(POLLIN)) return false;
        break;
      case SSL_ERROR_WANT_WRITE:
        if (!wait(POLLOUT)) return false;
        break;
      case SSL_ERROR_SSL: {
        const long verdict = SSL_get_verify_result(session_.get());
        std::string reason = "TLS handshake: " + take_ssl_error();
        if (verdict != X509_V_OK) reason += std::string(": ") + X509_verify_cert_error_string(verdict);
        stop(End::kFailed, std::move(reason));
        return false;
      }
      default: stop(End::kClosed, "TLS handshake: connection closed by the other side"); return false;
    }
  }
}

bool Connection::connect_tls() { return handshake(SSL_connect); }
bool Connection::accept_tls() { return handshake(SSL_accept); }

ssize_t Connection::receive(char* data, size_t size) {
  while (true) {
    if (!session_) {
      const ssize_t n = recv(fd_, data, size, 0);
      if (n >= 0) return n;
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return stop(End::kClosed, "read: " + text_of(errno));
      if (!wait(POLLIN)) return -1;
      continue;
    }
    ERR_clear_error();
    const int n = SSL_read(session_.get(), data, static_cast<int>(size));
    if (n > 0) return n;
    switch (SSL_get_error(session_.get(), n)) {
      case SSL_ERROR_ZERO_RETURN: return 0;
      case SSL_ERROR_WANT_READ:
        if (!wait(POLLIN)) return -1;
        break;
      case SSL_ERROR_WANT_WRITE:
        if (!wait(POLLOUT)) return -1;
        break;
      case SSL_ERROR_SSL: return stop(End::kFailed, "TLS: " + take_ssl_error());
      default: return stop(End::kClosed, "read: " + (errno ? text_of(errno) : std::string("connection closed")));
    }
  }
}

bool Connection::transmit(const char* data, size_t size) {
  while (size > 0) {
    ssize_t n;
    if (!session_) {
      n = ::send(fd_, data, size, MSG_NOSIGNAL);
      if (n < 0) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return stop(End::kClosed, "write: " + text_of(errno)) >= 0;
        if (!wait(POLLOUT)) return false;
        continue;
      }
    } else {
      ERR_clear_error();
      n = SSL_write(session_.get(), data, static_cast<int>(std::min(size, size_t{1} << 20)));
      if (n <= 0) {
        switch (SSL_get_error(session_.get(), static_cast<int>(n))) {
          case SSL_ERROR_WANT_WRITE:
            if (!wait(POLLOUT)) return false;
            break;
          case SSL_ERROR_WANT_READ:
            if (!wait(POLLIN)) return false;
            break;
          case SSL_ERROR_SSL: return stop(End::kFailed, "TLS: " + take_ssl_error()) >= 0;
          default:
            return stop(End::kClosed, "write: " + (errno ? text_of(errno) : std::string("connection closed"))) >= 0;
        }
        continue;
      }
    }
    data += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

bool Connection::flush() {
  if (end_ != End::kNone) return false;
  if (output_.empty()) return true;
  const bool sent = transmit(output_.data(), output_.size());
  output_.clear();
  if (output_.capacity() > 4 * kOutputBytes) output_.shrink_to_fit();
  return sent;
}

bool Connection::fill(size_t wanted) {
  if (end_ != End::kNone || !flush()) return false;
  const size_t size = wanted >= kLargeInputBytes && wanted != SIZE_MAX ? kLargeInputBytes : kInputBytes;
  if (input_.size() < size) input_.resize(size);
  const ssize_t n = receive(input_.data(), input_.size());
  input_at_ = 0;
  input_end_ = n > 0 ? static_cast<size_t>(n) : 0;
  return n > 0;
}

std::string_view Connection::take(size_t most) {
  if (input_at_ == input_end_ && !fill(most)) return {};
  const std::string_view piece(input_.data() + input_at_, std::min(most, input_end_ - input_at_));
  input_at_ += piece.size();
  return piece;
}

bool Connection::read_line(std::string& line, size_t most) {
  line.clear();
  while (true) {
    if (input_at_ == input_end_ && !fill(0)) {
      stop(End::kClosed, "connection closed by the other side");
      return false;
    }
    const char* begin = input_.data() + input_at_;
    const size_t have = input_end_ - input_at_;
    const void* found = std::memchr(begin, '\n', have);
    const size_t size = found ? static_cast<size_t>(static_cast<const char*>(found) - begin) : have;
    if (line.size() + size > most) {
      fail("line too long");
      return false;
    }
    line.append(begin, size);
    input_at_ += found ? size + 1 : size;
    if (!found) continue;
    if (line.ends_with('\r')) line.pop_back();
    return true;
  }
}

bool Connection::send(std::string_view head, std::string_view body) {
  if (end_ != End::kNone) return false;
  output_.append(head);
  if (body.size() <= 4 * kOutputBytes) {
    output_.append(body);
    return flush();
  }
  return flush() && transmit(body.data(), body.size());
}

bool Connection::write(std::string_view data) {
  if (end_ != End::kNone) return false;
  output_.append(data);
  return output_.size() < kOutputBytes || flush();
}

void Connection::say_goodbye() {
  if (!session_ || end_ == End::kFailed) return;
  ERR_clear_error();
  SSL_shutdown(session_.get());
  ERR_clear_error();
}

bool Connection::has_input() const {
  return input_at_ < input_end_ || (session_ && SSL_has_pending(session_.get()) == 1);
}

bool Connection::idle_is_clean() const {
  if (end_ != End::kNone || has_input()) return false;
  char byte;
  return recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

std::string remote_ip_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  char text[INET6_ADDRSTRLEN] = "";
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return "";
  if (storage.ss_family == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, text, sizeof text);
  if (storage.ss_family == AF_INET6)
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, text, sizeof text);
  return text;
}

}  // namespace twinspan::net
