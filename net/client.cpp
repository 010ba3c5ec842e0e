#include <fmt/format.h>
#include <unistd.h>

#include <csignal>

#include "net/dial.hpp"

namespace twinspan::net {
namespace {

using SteadyClock = Connection::Clock;
constexpr std::chrono::seconds kIdleLimit{30};  // servers close idle connections after 60 s or more: ours go first

// One connection and the request on it. cpp-httplib speaks HTTP/1.1; sockets, TLS and time are this room's.
class Line final : public httplib::ClientImpl {
 public:
  Line(const Endpoint& peer, SslContext context, std::string tls_name, std::chrono::milliseconds connect_timeout)
      : ClientImpl(peer.host, peer.port),
        peer_(peer),
        context_(std::move(context)),
        tls_name_(std::move(tls_name)),
        connect_timeout_(connect_timeout) {
    set_keep_alive(true);
    set_url_encode(false);  // paths come encoded
    set_decompress(false);  // and nothing asks for compression
  }

  void limit(SteadyClock::time_point deadline, std::chrono::milliseconds silence) {
    deadline_ = deadline;
    silence_ = silence;
  }
  void limit_silence(std::chrono::milliseconds silence) {  // from now on, within an exchange
    silence_ = silence;
    if (connection_) connection_->limit(deadline_, silence_);
  }
  // Result or, where the transport failed, the error. `fresh` tells whether this request opened the connection.
  Result<httplib::Response> exchange(httplib::Request& request, const std::stop_token& stop) {
    fresh_ = false;
    failure_.reset();
    httplib::Response response;
    auto error = httplib::Error::Success;
    bool done;
    {
      const std::stop_callback cancel(stop, [this] { waker_.wake(); });
      done = send(request, response, error);
    }
    if (done) return response;
    if (failure_) return std::unexpected(*failure_);
    if (error == httplib::Error::Canceled) return fail(Code::kCancelled, "ended by the reader");
    return fail(Code::kUnavailable, "connection closed in the middle of an answer");
  }
  bool fresh() const { return fresh_; }
  bool idle_is_clean() const { return is_socket_open() && connection_ && connection_->idle_is_clean(); }

  SteadyClock::time_point idle_since{};

 private:
  bool create_and_connect_socket(Socket& socket, httplib::Error& error) override {
    error = httplib::Error::Connection;
    fresh_ = true;
    const auto deadline = std::min(deadline_, SteadyClock::now() + connect_timeout_);
    auto fd = dial(peer_, deadline, waker_);
    if (!fd) {
      failure_ = fd.error();
      return false;
    }
    connection_ =
        std::make_shared<Connection>(*fd, context_ ? client_session(context_.get(), tls_name_) : nullptr, waker_);
    connection_->limit(deadline, {});
    if (context_ && !connection_->connect_tls()) {
      note_failure();
      connection_.reset();
      close(*fd);
      return false;
    }
    socket.sock = *fd;
    return true;
  }

  bool process_socket(const Socket&, std::function<bool(httplib::Stream&)> callback) override {
    const std::shared_ptr<Connection> connection = connection_;  // shutdown_ssl may drop it while it is in use
    connection->limit(deadline_, silence_);
    const bool done = callback(*connection);
    if (!done) note_failure(*connection);
    return done;
  }

  void shutdown_ssl(Socket&, bool gracefully) override {
    if (connection_ && gracefully) connection_->say_goodbye();
    connection_.reset();
  }

  void note_failure() { note_failure(*connection_); }
  void note_failure(const Connection& connection) {
    const std::string where = fmt::format("{}:{}: {}", peer_.host, peer_.port, connection.reason());
    switch (connection.end()) {
      case End::kNone: break;
      case End::kTimeout: failure_ = fail(Code::kTimeout, where).error(); break;
      case End::kCancelled: failure_ = fail(Code::kCancelled, "cancelled").error(); break;
      case End::kClosed:
      case End::kFailed: failure_ = fail(Code::kUnavailable, where).error(); break;
    }
  }

  const Endpoint peer_;
  const SslContext context_;
  const std::string tls_name_;
  const std::chrono::milliseconds connect_timeout_;
  Waker waker_;
  std::shared_ptr<Connection> connection_;
  SteadyClock::time_point deadline_ = SteadyClock::time_point::max();
  std::chrono::milliseconds silence_{0};
  bool fresh_ = false;
  std::optional<Error> failure_;
};

httplib::Request to_httplib(const Request& request, const std::string& host_header) {
  httplib::Request out;
  out.method = request.method;
  out.path = request.path;
  out.body = request.body;
  for (const auto& [name, value] : request.headers) out.headers.emplace(name, value);
  if (!out.has_header("Host")) out.headers.emplace("Host", host_header);
  if (!request.content_type.empty()) out.headers.emplace("Content-Type", request.content_type);
  return out;
}

Response from_httplib(httplib::Response&& response) {
  Response out;
  out.status = response.status;
  out.headers.assign(response.headers.begin(), response.headers.end());
  out.body = std::move(response.body);
  return out;
}

}  // namespace

struct Client::Impl {
  Result<Endpoint> peer;
  Result<SslContext> context{SslContext()};
  Options options;
  std::string tls_name, host_header;

  std::mutex mutex;
  std::condition_variable_any freed;
  std::vector<std::unique_ptr<Line>> idle;  // the last used is at the back and is used next
  size_t in_use = 0;

  std::unique_ptr<Line> open() const {
    return std::make_unique<Line>(*peer, *context, tls_name, options.connect_timeout);
  }
  Status usable() const {
    if (!peer) return std::unexpected(peer.error());
    if (!context) return std::unexpected(context.error());
    return {};
  }

  // nullptr: stopped, or none came free in time.
  std::unique_ptr<Line> take(SteadyClock::time_point deadline, const std::stop_token& stop) {
    std::vector<std::unique_ptr<Line>> stale;  // closed after the lock is given back
    std::unique_lock lock(mutex);
    const bool free = freed.wait_until(lock, stop, deadline, [this] { return in_use < options.connections; });
    if (!free || stop.stop_requested()) return nullptr;
    ++in_use;
    const auto now = SteadyClock::now();
    while (!idle.empty()) {
      std::unique_ptr<Line> line = std::move(idle.back());
      idle.pop_back();
      if (now - line->idle_since < kIdleLimit && line->idle_is_clean()) {
        if (!idle.empty() && now - idle.front()->idle_since > kIdleLimit) {
          stale.push_back(std::move(idle.front()));
          idle.erase(idle.begin());
        }
        return line;
      }
      stale.push_back(std::move(line));
    }
    lock.unlock();
    return open();
  }
  Result<httplib::Response> exchange(httplib::Request& request, std::chrono::milliseconds timeout,
                                     const std::stop_token& stop, const std::function<bool()>& repeatable);
  void give_back(std::unique_ptr<Line> line) {  // nullptr: it is not to be used again
    {
      std::lock_guard lock(mutex);
      --in_use;
      if (line) {
        line->idle_since = SteadyClock::now();
        idle.push_back(std::move(line));
      }
    }
    freed.notify_one();
  }
};

Client::Client(std::string url, ClientTls tls, Options options) : impl_(std::make_unique<Impl>()) {
  // A write to a closed connection must be an error, not the end of the process (OpenSSL writes without MSG_NOSIGNAL).
  static const bool ignored [[maybe_unused]] = std::signal(SIGPIPE, SIG_IGN) != SIG_ERR;
  impl_->options = options;
  impl_->peer = parse_url(url);
  if (!impl_->peer) return;
  const Endpoint& peer = *impl_->peer;
  impl_->tls_name = tls.server_name.empty() ? peer.host : tls.server_name;
  const std::string host = peer.host.find(':') == std::string::npos ? peer.host : "[" + peer.host + "]";
  impl_->host_header = peer.port == (peer.tls ? 443 : 80) ? host : fmt::format("{}:{}", host, peer.port);
  if (peer.tls) impl_->context = client_context(tls, impl_->tls_name);
}

Client::~Client() = default;

namespace {

// Lets `chunk` have the body where the status is 200; any other body is gathered in `answer`.
struct Intake {
  Response answer;
  bool begun = false;  // `chunk` has seen something
  bool ended = false;  // `chunk` wants no more

  // All of it outlives the exchange.
  void attach(httplib::Request& request, const std::function<bool(std::string_view)>& chunk,
              const std::function<void(int)>* opened) {
    request.response_handler = [this, opened](const httplib::Response& head) {
      answer.status = head.status;
      answer.headers.assign(head.headers.begin(), head.headers.end());
      answer.body.clear();
      if (opened && *opened) (*opened)(head.status);
      return true;
    };
    request.content_receiver = [this, &chunk](const char* data, size_t size, uint64_t, uint64_t) {
      if (answer.status != 200) {
        answer.body.append(data, size);
        return true;
      }
      begun = true;
      ended = !chunk({data, size});
      return !ended;
    };
  }
};

}  // namespace

Result<httplib::Response> Client::Impl::exchange(httplib::Request& request, std::chrono::milliseconds timeout,
                                                 const std::stop_token& stop, const std::function<bool()>& repeatable) {
  if (auto ready = usable(); !ready) return std::unexpected(ready.error());
  const auto deadline = SteadyClock::now() + timeout;
  for (bool again = true;; again = false) {
    if (stop.stop_requested()) return fail(Code::kCancelled, "cancelled");
    std::unique_ptr<Line> line = take(deadline, stop);
    if (!line) {
      if (stop.stop_requested()) return fail(Code::kCancelled, "cancelled");
      return fail(Code::kTimeout, "every connection is in use");
    }
    line->limit(deadline, {});
    auto answer = line->exchange(request, stop);
    const bool fresh = line->fresh();
    // Where the token was set after the answer the waker may be up: that connection isn't used again.
    const bool reusable = answer && !stop.stop_requested() && line->is_socket_open();
    give_back(reusable ? std::move(line) : nullptr);
    if (answer) return answer;
    // The server may close a kept connection in the very moment it is used again; reading once more is harmless.
    if (!again || fresh || answer.error().code != Code::kUnavailable || !repeatable()) return answer;
  }
}

Result<Response> Client::send(const Request& request, std::stop_token stop) {
  httplib::Request out = to_httplib(request, impl_->host_header);
  const bool read = out.method == "GET" || out.method == "HEAD";
  auto answer = impl_->exchange(out, request.timeout, stop, [read] { return read; });
  if (!answer) return std::unexpected(answer.error());
  return from_httplib(std::move(*answer));
}

Result<Response> Client::receive(const Request& request, const std::function<bool(std::string_view)>& chunk,
                                 std::stop_token stop) {
  httplib::Request out = to_httplib(request, impl_->host_header);
  const bool read = out.method == "GET";
  Intake intake;
  intake.attach(out, chunk, nullptr);
  auto done = impl_->exchange(out, request.timeout, stop, [&] { return read && !intake.begun; });
  if (!done && !intake.ended) return std::unexpected(done.error());
  if (done) intake.answer.status = done->status;
  return std::move(intake.answer);
}

Result<Response> Client::stream(const Request& request, const std::function<bool(std::string_view)>& chunk,
                                std::stop_token stop, const std::function<void(int)>& opened) {
  if (auto usable = impl_->usable(); !usable) return std::unexpected(usable.error());
  if (stop.stop_requested()) return fail(Code::kCancelled, "cancelled");
  httplib::Request out = to_httplib(request, impl_->host_header);
  const std::unique_ptr<Line> line = impl_->open();
  const std::function<void(int)> begun = [&](int status) {
    line->limit_silence(request.timeout);
    if (opened) opened(status);
  };
  Intake intake;
  intake.attach(out, chunk, &begun);
  line->limit(SteadyClock::time_point::max(),
              request.head_timeout.count() > 0 ? request.head_timeout : request.timeout);
  auto done = line->exchange(out, stop);
  if (stop.stop_requested()) return fail(Code::kCancelled, "cancelled");
  if (!done && !intake.ended) return std::unexpected(done.error());
  if (done) intake.answer.status = done->status;
  return std::move(intake.answer);
}

}  // namespace twinspan::net
