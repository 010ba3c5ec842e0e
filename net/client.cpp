#include <fmt/format.h>
#include <unistd.h>

#include <csignal>

#include "core/guarded.hpp"
#include "net/dial.hpp"
#include "net/message.hpp"
#include "net/resumption.hpp"

namespace twinspan::net {
namespace {

using SteadyClock = Connection::Clock;
constexpr std::chrono::seconds kIdleLimit{30};  // servers close idle connections after 60 s or more: ours go first

// What goes over the wire, made once for all attempts.
struct Outgoing {
  std::string head;
  std::string_view body;
  const Request* streamed = nullptr;  // where its body is
  bool is_head = false;               // of method HEAD: its answer has no body
  bool read = false;                  // of a method that changes nothing
};

// Where an answer goes: the body of 200 and 206 to `chunk`, if there is one, any other into the answer.
struct Intake {
  const std::function<bool(std::string_view)>* chunk = nullptr;
  const std::function<bool(const Response&)>* opened = nullptr;
  Response answer{};
  bool begun = false;  // `chunk` has seen something
  bool ended = false;  // `opened` or `chunk` wants no more
};

// One connection and the request on it.
class Line {
 public:
  // `resumption` may be null.
  Line(const Endpoint& peer, SslContext context, std::string tls_name, std::chrono::milliseconds connect_timeout,
       Resumption* resumption)
      : peer_(peer),
        context_(std::move(context)),
        tls_name_(std::move(tls_name)),
        connect_timeout_(connect_timeout),
        resumption_(resumption) {}
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  ~Line() {
    if (!connection_) return;
    connection_->say_goodbye();
    connection_.reset();
    close(fd_);
  }

  void limit(SteadyClock::time_point deadline, std::chrono::milliseconds silence) {
    deadline_ = deadline;
    silence_ = silence;
  }
  void limit_silence(std::chrono::milliseconds silence) {  // from now on, within an exchange
    silence_ = silence;
    if (connection_) connection_->limit(deadline_, silence_);
  }
  // Success, or why the transport failed. `fresh` tells whether this request opened the connection.
  Status exchange(const Outgoing& request, Intake& intake, const std::stop_token& stop) {
    fresh_ = !connection_;
    reusable_ = false;
    const std::stop_callback cancel(stop, [this] { waker_.wake(); });
    if (!connection_)
      if (auto connected = connect(); !connected) return connected;
    connection_->limit(deadline_, silence_);
    if (converse(request, intake)) return {};
    if (intake.ended) return fail(Code::kCancelled, "ended by the reader");
    return why();
  }
  bool fresh() const { return fresh_; }
  bool reusable() const { return reusable_; }
  bool idle_is_clean() const { return connection_ && connection_->idle_is_clean(); }

  SteadyClock::time_point idle_since{};

 private:
  Status connect() {
    const auto deadline = std::min(deadline_, SteadyClock::now() + connect_timeout_);
    auto fd = dial(peer_, deadline, waker_);
    if (!fd) return std::unexpected(fd.error());
    fd_ = *fd;
    SslSession session = context_ ? client_session(context_.get(), tls_name_) : nullptr;
    if (session && resumption_) resumption_->offer(session.get());
    connection_ = std::make_unique<Connection>(fd_, std::move(session), waker_);
    connection_->limit(deadline, {});
    if (!context_ || connection_->connect_tls()) return {};
    if (resumption_) resumption_->forget();
    return why();
  }

  bool converse(const Outgoing& request, Intake& intake) {
    if (!(request.streamed ? send_stream(request) : connection_->send(request.head, request.body))) return false;
    MessageHead head;
    int status;
    do {  // interim answers say nothing
      if (!read_head(*connection_, head)) return false;
      status = status_of(head.start);
      if (status == 0) {
        connection_->fail("no HTTP/1.1 answer");
        return false;
      }
    } while (status < 200 && status != 101);
    intake.answer.status = status;
    const bool closing = names_close(head);
    intake.answer.headers = std::move(head.headers);
    intake.answer.body.clear();
    if (intake.opened && *intake.opened && !(*intake.opened)(intake.answer)) {
      intake.ended = true;
      return false;
    }
    if (!read_answer(request, intake)) return false;
    reusable_ = to_be_kept_ && !closing;
    return true;
  }

  // The head goes with the first piece: a server that waits for a body may lose its patience sooner than for a request.
  bool send_stream(const Outgoing& request) {
    uint64_t left = request.streamed->stream_bytes;
    bool begun = false;
    const auto write = [&](std::string_view piece) {
      if (piece.size() > left) return false;
      left -= piece.size();
      return connection_->send(std::exchange(begun, true) ? std::string_view() : request.head, piece);
    };
    if (!request.streamed->stream(write) || left > 0) {
      if (connection_->end() == End::kNone) connection_->stop_early();
      return false;
    }
    return begun || connection_->send(request.head, {});
  }

  bool read_answer(const Outgoing& request, Intake& intake) {
    Response& answer = intake.answer;
    to_be_kept_ = true;
    if (request.is_head || answer.status == 204 || answer.status == 304) return true;
    Framing framing;
    if (!framing_of(*connection_, answer.headers, framing)) return false;
    to_be_kept_ = framing.chunked || framing.length;
    if (intake.chunk && (answer.status == 200 || answer.status == 206))
      return read_body(
          *connection_, framing,
          [&](std::string_view piece) {
            intake.begun = true;
            return (*intake.chunk)(piece);
          },
          intake.ended);
    answer.body.reserve(std::min<uint64_t>(framing.length.value_or(0), 1 << 20));
    return read_body(
        *connection_, framing,
        [&](std::string_view piece) {
          answer.body.append(piece);
          return true;
        },
        intake.ended);
  }

  Status why() const {
    const std::string where = fmt::format("{}:{}: {}", peer_.host, peer_.port, connection_->reason());
    switch (connection_->end()) {
      case End::kTimeout: return fail(Code::kTimeout, where);
      case End::kCancelled: return fail(Code::kCancelled, "cancelled");
      case End::kNone:
      case End::kClosed:
      case End::kFailed: break;
    }
    return fail(Code::kUnavailable, where);
  }

  const Endpoint peer_;
  const SslContext context_;
  const std::string tls_name_;
  const std::chrono::milliseconds connect_timeout_;
  Resumption* const resumption_;
  Waker waker_;
  int fd_ = -1;
  std::unique_ptr<Connection> connection_;
  SteadyClock::time_point deadline_ = SteadyClock::time_point::max();
  std::chrono::milliseconds silence_{0};
  bool fresh_ = false, reusable_ = false, to_be_kept_ = false;
};

bool safe(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) == text.npos; }

Result<Outgoing> to_outgoing(const Request& request, const std::string& host_header) {
  Outgoing out;
  out.body = request.body.empty() ? request.body_view : std::string_view(request.body);
  if (request.stream) out.streamed = &request;
  out.is_head = request.method == "HEAD";
  out.read = out.is_head || request.method == "GET";
  std::string& head = out.head;
  head.reserve(512 + request.path.size());
  if (!safe(request.path) || request.path.find(' ') != std::string::npos)
    return fail(Code::kInvalid, "path of a request: expected percent-encoding");
  head.append(request.method).append(" ").append(request.path).append(" HTTP/1.1\r\n");
  const auto add = [&](std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
  };
  if (!find_header(request.headers, "Host")) add("Host", host_header);
  for (const auto& [name, value] : request.headers) {
    if (!safe(name) || !safe(value))
      return fail(Code::kInvalid, fmt::format("header \"{}\": expected one line", safe(name) ? name : "?"));
    add(name, value);
  }
  if (!find_header(request.headers, "Accept")) add("Accept", "*/*");
  if (!find_header(request.headers, "User-Agent")) add("User-Agent", "twinspan");
  if (!request.content_type.empty() && !find_header(request.headers, "Content-Type"))
    add("Content-Type", request.content_type);
  if (out.streamed)
    add("Content-Length", std::to_string(request.stream_bytes));
  else if (!out.body.empty() || (!out.read && request.method != "DELETE"))
    add("Content-Length", std::to_string(out.body.size()));
  head += "\r\n";
  return out;
}

}  // namespace

struct Client::Impl {
  Result<Endpoint> peer;
  Result<SslContext> context{SslContext()};
  Options options;
  std::string tls_name, host_header;
  Resumption resumption;

  Mutex mutex;
  std::condition_variable_any freed;
  std::vector<std::unique_ptr<Line>> idle GUARDED_BY(mutex);  // the last used is at the back and is used next
  size_t in_use GUARDED_BY(mutex) = 0;

  std::unique_ptr<Line> open() {
    return std::make_unique<Line>(*peer, *context, tls_name, options.connect_timeout,
                                  options.bulk ? &resumption : nullptr);
  }
  Status usable() const {
    if (!peer) return std::unexpected(peer.error());
    if (!context) return std::unexpected(context.error());
    return {};
  }

  // nullptr: stopped, or none came free in time.
  std::unique_ptr<Line> take(SteadyClock::time_point deadline, const std::stop_token& stop) {
    std::vector<std::unique_ptr<Line>> stale;  // closed after the lock is given back
    MutexLock lock(mutex);
    const bool free =
        freed.wait_until(lock, stop, deadline, [this]() REQUIRES(mutex) { return in_use < options.connections; });
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
  Status exchange(const Outgoing& request, Intake& intake, const Request& given, const std::stop_token& stop);
  void give_back(std::unique_ptr<Line> line) {  // nullptr: it is not to be used again
    {
      MutexLock lock(mutex);
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
  if (!peer.tls) return;
  impl_->context = client_context(tls, impl_->tls_name);
  if (!impl_->context || !options.bulk) return;
  read_much(impl_->context->get());
  impl_->resumption.attach(impl_->context->get());
}

Client::~Client() = default;

Status Client::Impl::exchange(const Outgoing& request, Intake& intake, const Request& given,
                              const std::stop_token& stop) {
  if (auto ready = usable(); !ready) return ready;
  const auto deadline = SteadyClock::now() + given.timeout;
  for (bool again = true;; again = false) {
    if (stop.stop_requested()) return fail(Code::kCancelled, "cancelled");
    std::unique_ptr<Line> line = take(deadline, stop);
    if (!line) {
      if (stop.stop_requested()) return fail(Code::kCancelled, "cancelled");
      return fail(Code::kTimeout, "every connection is in use");
    }
    if (given.timeout_is_silence)
      line->limit(SteadyClock::time_point::max(), given.timeout);
    else
      line->limit(deadline, {});
    const Status done = line->exchange(request, intake, stop);
    const bool fresh = line->fresh();
    // Where the token was set after the answer the waker may be up: that connection isn't used again.
    const bool reusable = done && !stop.stop_requested() && line->reusable();
    if (!reusable) line.reset();
    give_back(std::move(line));
    if (done) return {};
    // The server may close a kept connection in the very moment it is used again; reading once more is harmless.
    const bool repeatable = request.read && !intake.begun && !intake.ended;
    if (!again || fresh || done.error().code != Code::kUnavailable || !repeatable) return done;
  }
}

Result<Response> Client::send(const Request& request, std::stop_token stop) {
  static const std::function<bool(std::string_view)> kNone;
  return receive(request, kNone, std::move(stop));
}

Result<Response> Client::receive(const Request& request, const std::function<bool(std::string_view)>& chunk,
                                 std::stop_token stop, const std::function<bool(const Response&)>& opened) {
  const auto out = to_outgoing(request, impl_->host_header);
  if (!out) return std::unexpected(out.error());
  Intake intake{.chunk = chunk ? &chunk : nullptr, .opened = &opened};
  const Status done = impl_->exchange(*out, intake, request, stop);
  if (!done && !intake.ended) return std::unexpected(done.error());
  return std::move(intake.answer);
}

Result<Response> Client::stream(const Request& request, const std::function<bool(std::string_view)>& chunk,
                                std::stop_token stop, const std::function<void(int)>& opened) {
  if (auto usable = impl_->usable(); !usable) return std::unexpected(usable.error());
  if (stop.stop_requested()) return fail(Code::kCancelled, "cancelled");
  const auto out = to_outgoing(request, impl_->host_header);
  if (!out) return std::unexpected(out.error());
  const std::unique_ptr<Line> line = impl_->open();
  const std::function<bool(const Response&)> begun = [&](const Response& head) {
    line->limit_silence(request.timeout);
    if (opened) opened(head.status);
    return true;
  };
  Intake intake{.chunk = &chunk, .opened = &begun};
  line->limit(SteadyClock::time_point::max(),
              request.head_timeout.count() > 0 ? request.head_timeout : request.timeout);
  const Status done = line->exchange(*out, intake, stop);
  if (stop.stop_requested()) return fail(Code::kCancelled, "cancelled");
  if (!done && !intake.ended) return std::unexpected(done.error());
  return std::move(intake.answer);
}

}  // namespace twinspan::net
