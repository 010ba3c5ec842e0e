#include "net/stream.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/dial.hpp"
#include "net/tls.hpp"

namespace twinspan::net {

struct Stream::Impl {
  int fd = -1;
  SslSession session;
  short awaits = 0;

  ~Impl() {
    if (session) SSL_shutdown(session.get());
    session.reset();
    if (fd >= 0) close(fd);
  }
  std::unexpected<Error> broken(const char* doing) {
    char buffer[128];
    const int number = errno;
    return fail(Code::kUnavailable,
                fmt::format("{}: {}", doing, number ? strerror_r(number, buffer, sizeof buffer) : "connection closed"));
  }
  // What a call of OpenSSL's that gave `n` came to.
  Result<size_t> outcome(int n, const char* doing) {
    awaits = 0;
    if (n > 0) return static_cast<size_t>(n);
    switch (SSL_get_error(session.get(), n)) {
      case SSL_ERROR_WANT_READ: awaits = POLLIN; return size_t{0};
      case SSL_ERROR_WANT_WRITE: awaits = POLLOUT; return size_t{0};
      case SSL_ERROR_ZERO_RETURN: return fail(Code::kUnavailable, fmt::format("{}: connection closed", doing));
      case SSL_ERROR_SSL: return fail(Code::kUnavailable, fmt::format("{}: TLS: {}", doing, take_ssl_error()));
      default: return broken(doing);
    }
  }
};

Stream::Stream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::~Stream() = default;

Result<Stream> Stream::open(const std::string& host, int port, const std::optional<ClientTls>& tls,
                            std::chrono::milliseconds patience, const std::stop_token& stop) {
  Waker waker;
  const std::stop_callback wake(stop, [&] { waker.wake(); });
  const auto deadline = Connection::Clock::now() + patience;
  auto impl = std::make_unique<Impl>();
  const auto fd = dial({.tls = tls.has_value(), .host = host, .port = port}, deadline, waker);
  if (!fd) return std::unexpected(fd.error());
  impl->fd = *fd;
  if (tls) {
    const std::string& name = tls->server_name.empty() ? host : tls->server_name;
    const auto context = client_context(*tls, name);
    if (!context) return std::unexpected(context.error());
    read_much(context->get());
    // The session outlives the Connection that shakes hands: one more reference to it.
    impl->session = client_session(context->get(), name);
    if (!impl->session) return fail(Code::kInternal, "TLS: " + take_ssl_error());
    SSL_up_ref(impl->session.get());
    Connection handshake(impl->fd, SslSession(impl->session.get()), waker);
    handshake.limit(deadline, std::chrono::milliseconds(0));
    if (!handshake.connect_tls())
      return fail(handshake.end() == End::kTimeout ? Code::kTimeout : Code::kUnavailable,
                  fmt::format("{}:{}: {}", host, port, handshake.reason()));
  }
  return Stream(std::move(impl));
}

int Stream::fd() const { return impl_->fd; }
short Stream::awaits() const { return impl_->awaits; }

Result<size_t> Stream::read(char* data, size_t size) {
  if (impl_->session) {
    ERR_clear_error();
    errno = 0;
    return impl_->outcome(SSL_read(impl_->session.get(), data, static_cast<int>(std::min(size, size_t{1} << 30))),
                          "read");
  }
  while (true) {
    const ssize_t n = recv(impl_->fd, data, size, 0);
    impl_->awaits = 0;
    if (n > 0) return static_cast<size_t>(n);
    if (n == 0) return fail(Code::kUnavailable, "read: connection closed");
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return impl_->broken("read");
    impl_->awaits = POLLIN;
    return size_t{0};
  }
}

Result<size_t> Stream::write(const char* data, size_t size) {
  if (size == 0) return size_t{0};
  if (impl_->session) {
    ERR_clear_error();
    errno = 0;
    return impl_->outcome(SSL_write(impl_->session.get(), data, static_cast<int>(std::min(size, size_t{1} << 20))),
                          "write");
  }
  while (true) {
    const ssize_t n = send(impl_->fd, data, size, MSG_NOSIGNAL);
    impl_->awaits = 0;
    if (n >= 0) return static_cast<size_t>(n);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return impl_->broken("write");
    impl_->awaits = POLLOUT;
    return size_t{0};
  }
}

}  // namespace twinspan::net
