#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <semaphore>

#include "core/guarded.hpp"
#include "core/log.hpp"
#include "net/connection.hpp"
#include "net/crew.hpp"
#include "net/http.hpp"
#include "net/listener.hpp"
#include "net/lobby.hpp"
#include "net/message.hpp"

namespace twinspan::net {
namespace {

constexpr std::chrono::seconds kRequestTime{30};  // to read a request, to write an answer
constexpr std::chrono::seconds kHandshakeTime{10};
constexpr std::chrono::seconds kIdleTime{90};  // longer than clients keep connections, so that they close them
// So many slow peers (a handshake or a request that comes by and by, an answer that is not taken) keep nobody else
// waiting: a probe must be answered beside them, or kubelet restarts a database.
constexpr size_t kSlowPeersMost = 256;

// How many connections each address has. Any thread.
class Addresses {
 public:
  explicit Addresses(size_t most) : most_(most) {}
  bool enter(const std::string& address) {
    MutexLock lock(mutex_);
    size_t& count = there_[address];
    if (most_ > 0 && count >= most_) return false;
    ++count;
    return true;
  }
  void leave(const std::string& address) {
    MutexLock lock(mutex_);
    if (const auto found = there_.find(address); --found->second == 0) there_.erase(found);
  }

 private:
  const size_t most_;
  Mutex mutex_;
  std::map<std::string, size_t> there_ GUARDED_BY(mutex_);
};

// What is known of one connection for as long as it lives.
struct Session {
  Session(int descriptor, SslSession ssl, const Waker& waker, Addresses& among, std::string its_address)
      : fd(descriptor),
        connection(descriptor, std::move(ssl), waker),
        addresses(among),
        address(std::move(its_address)) {}
  ~Session() {
    connection.say_goodbye();
    shutdown(fd, SHUT_RDWR);
    close(fd);
    addresses.leave(address);
  }
  const int fd;
  Connection connection;
  Addresses& addresses;
  const std::string address;
  bool greeted = false;  // the TLS handshake is done
  std::string peer_common_name;
};

thread_local Session* current = nullptr;  // the session whose request this thread serves

// While it lives, this thread waits for its peer and not for us.
class AwaitsPeer {
 public:
  explicit AwaitsPeer(Crew& crew) : crew_(crew), lent_(crew.lend(kSlowPeersMost)) {}
  ~AwaitsPeer() {
    if (lent_) crew_.take_back();
  }
  AwaitsPeer(const AwaitsPeer&) = delete;
  AwaitsPeer& operator=(const AwaitsPeer&) = delete;

 private:
  Crew& crew_;
  const bool lent_;
};

std::string form_decoded(std::string_view text) {
  std::string out(text);
  std::replace(out.begin(), out.end(), '+', ' ');
  return percent_decode(out);
}

// "GET /a?b=c HTTP/1.1" into method, target, path and query; false: malformed.
bool take_request_line(std::string_view line, IncomingRequest& out) {
  const size_t first = line.find(' '), last = line.rfind(' ');
  if (first == line.npos || last <= first + 1 || !is_token(line.substr(0, first))) return false;
  if (const std::string_view version = line.substr(last + 1); version != "HTTP/1.1" && version != "HTTP/1.0")
    return false;
  out.method = line.substr(0, first);
  out.target = line.substr(first + 1, last - first - 1);
  const std::string_view target = out.target;
  if ((target[0] != '/' && target != "*") || target.find(' ') != target.npos) return false;
  const size_t question = std::min(target.find('?'), target.size());
  out.path = percent_decode(target.substr(0, question));
  for (size_t at = question + 1; at <= target.size();) {
    const size_t end = std::min(target.find('&', at), target.size());
    const std::string_view one = target.substr(at, end - at);
    const size_t equals = std::min(one.find('='), one.size());
    if (!one.empty())
      out.query.emplace(form_decoded(one.substr(0, equals)),
                        form_decoded(one.substr(std::min(equals + 1, one.size()))));
    at = end + 1;
  }
  return true;
}

std::string_view phrase_of(int status) {  // for people only
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    default: return status < 400 ? "Done" : "Refused";
  }
}

std::string head_of(int status, const OutgoingResponse& out) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", status, phrase_of(status));
  for (const auto& [name, value] : out.headers) head.append(name).append(": ").append(value).append("\r\n");
  if (!out.content_type.empty() && !find_header(out.headers, "Content-Type"))
    head.append("Content-Type: ").append(out.content_type).append("\r\n");
  return head;
}

}  // namespace

struct Server::Impl {
  Impl(ServerOptions given, net::Server::Handler handle)
      : options(std::move(given)),
        handler(std::move(handle)),
        addresses(options.connections_of_one_address_most),
        crew(std::max<size_t>(options.threads, 1)),
        served(std::max<ptrdiff_t>(options.threads, 1)) {}

  // Reads one request and answers it. False: the connection is to be closed.
  bool converse(Connection& connection) {
    IncomingRequest request;
    bool last = false;
    if (!receive(connection, request, last)) return false;
    return answer(connection, request, last) && !last;
  }

  // `last`: the client wants the connection closed after the answer. False: it is to be closed now.
  bool receive(Connection& connection, IncomingRequest& request, bool& last) {
    const AwaitsPeer waits(crew);
    MessageHead head;
    if (!read_head(connection, head)) return false;
    Framing framing;
    last = names_close(head);
    request.headers = std::move(head.headers);
    if (!take_request_line(head.start, request) || !framing_of(connection, request.headers, framing))
      return refuse(connection, 400);
    if (!framing.chunked && !framing.length) framing.length = 0;
    if (framing.length.value_or(0) > options.body_bytes_most) return refuse(connection, 413);
    if (const std::string* expect = find_header(request.headers, "Expect"); expect && *expect == "100-continue")
      if (!connection.send("HTTP/1.1 100 Continue\r\n\r\n", {})) return false;
    request.body.reserve(framing.length.value_or(0));
    bool too_large = false;
    const bool read = read_body(
        connection, framing,
        [&](std::string_view piece) {
          if (request.body.size() + piece.size() > options.body_bytes_most) return false;
          request.body.append(piece);
          return true;
        },
        too_large);
    if (!read) return too_large && refuse(connection, 413);
    request.remote_address = current->address;
    request.peer_common_name = current->peer_common_name;
    return true;
  }

  static bool refuse(Connection& connection, int status) {
    connection.send(
        fmt::format("HTTP/1.1 {} {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status, phrase_of(status)), {});
    return false;
  }

  OutgoingResponse handle(const IncomingRequest& request) {
    served.acquire();
    const std::unique_ptr<std::counting_semaphore<>, void (*)(std::counting_semaphore<>*)> release(
        &served, [](std::counting_semaphore<>* one) { one->release(); });
    return handler(request);
  }

  // `last`: nothing follows on this connection; also where the handler says so.
  bool answer(Connection& connection, const IncomingRequest& request, bool& last) {
    OutgoingResponse out;
    try {
      out = handle(request);
    } catch (const CutConnection&) {
      connection.fail();
      return false;
    } catch (const std::exception& error) {
      log::error("HTTP handler failed", {{"path", request.path}, {"error", error.what()}});
      out = {};
      out.status = 500;
      out.content_type = "text/plain";
      out.body = "internal error\n";
    }
    connection.limit(Connection::Clock::now() + kRequestTime, {});
    std::string head = head_of(out.status, out);
    if (const std::string* said = find_header(out.headers, "Connection"); said && *said == "close")
      last = true;
    else if (last)
      head += "Connection: close\r\n";
    if (out.stream) return send_stream(connection, std::move(head), out);
    const AwaitsPeer waits(crew);
    const std::string_view body = out.body.empty() ? out.body_view : std::string_view(out.body);
    const bool without_body = out.status == 204 || out.status == 304;
    if (!without_body && !find_header(out.headers, "Content-Length"))
      head += fmt::format("Content-Length: {}\r\n", body.size());
    head += "\r\n";
    return connection.send(head, without_body || request.method == "HEAD" ? std::string_view() : body);
  }

  bool send_stream(Connection& connection, std::string head, const OutgoingResponse& out) {
    std::stop_source over;
    const int fd = current->fd;
    crew.lend();
    lobby.watch_for_close(fd, [over]() mutable { over.request_stop(); });
    connection.limit(Connection::Clock::time_point::max(), kRequestTime);
    const auto write = [&](std::string_view data) {
      if (data.empty()) return connection.flush();
      const std::string size = fmt::format("{:x}\r\n", data.size());
      const bool sent =
          connection.write(size) && connection.write(data) && connection.write("\r\n") && connection.flush();
      if (!sent) over.request_stop();
      return sent;
    };
    bool whole = connection.send(head + "Transfer-Encoding: chunked\r\n\r\n", {});
    try {
      while (whole && out.stream(write, over.get_token())) whole = connection.end() == End::kNone && !stopping;
    } catch (const CutConnection&) {
      connection.fail();
    } catch (const std::exception& error) {
      log::error("HTTP stream failed", {{"error", error.what()}});
      connection.fail();
    }
    lobby.forget(fd);
    crew.take_back();
    connection.limit(Connection::Clock::now() + kRequestTime, {});
    return whole && connection.send("0\r\n\r\n", {});
  }

  void admit(int fd) {
    std::string address = remote_ip_of(fd);
    if (!addresses.enter(address)) {
      close(fd);
      return;
    }
    const int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
    const int patience = 30'000;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience);
    SslSession ssl;
    if (options.identity) {
      MutexLock lock(context_mutex);
      ssl.reset(SSL_new(context.get()));
    }
    park(std::make_shared<Session>(fd, std::move(ssl), waker, addresses, std::move(address)), kHandshakeTime);
  }

  void park(const std::shared_ptr<Session>& session, std::chrono::milliseconds time) {
    lobby.wait_for_input(session->fd, time, [this, session](bool readable) {
      if (readable) crew.enqueue([this, session] { serve(session); });
    });
  }

  bool greet(Connection& connection) {
    const AwaitsPeer waits(crew);
    return connection.accept_tls();
  }

  void serve(const std::shared_ptr<Session>& session) {
    Connection& connection = session->connection;
    current = session.get();
    if (connection.session() && !session->greeted) {
      connection.limit(Connection::Clock::now() + kHandshakeTime, {});
      if (!greet(connection)) {
        log::debug("TLS handshake failed", {{"error", connection.reason()}});
        current = nullptr;
        return;
      }
      session->greeted = true;
      session->peer_common_name = peer_common_name(connection.session());
      if (!connection.has_input() && connection.idle_is_clean()) {
        current = nullptr;
        return park(session, kIdleTime);
      }
    }
    bool more = true;
    do {
      connection.limit(Connection::Clock::now() + kRequestTime, {});
      more = converse(connection) && !stopping;
    } while (more && connection.has_input());
    current = nullptr;
    if (more) park(session, kIdleTime);
  }

  Status start() {
    if (options.identity) {
      auto made = server_context(*options.identity, options.client_ca_pem, options.require_client_certificate);
      if (!made) return std::unexpected(made.error());
      MutexLock lock(context_mutex);
      context = *made;
    }
    return listener.start(options.address, options.port, [this](int fd) { admit(fd); });
  }

  void halt() {
    stopping = true;
    listener.stop();
    lobby.stop();  // streams see their stop token
    waker.wake();  // whoever waits for a peer gives up
    crew.stop();
  }

  ServerOptions options;
  const net::Server::Handler handler;
  Mutex context_mutex;
  SslContext context GUARDED_BY(context_mutex);
  Waker waker;
  std::atomic<bool> stopping{false};
  Addresses addresses;  // sessions, which crew and lobby hold, leave it
  Crew crew;
  std::counting_semaphore<> served;  // as many handlers run at once as threads were asked for
  Lobby lobby;
  Listener listener;
};

Server::Server(ServerOptions options, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler))) {}
Server::~Server() { stop(); }
Status Server::start() { return impl_->start(); }
void Server::stop() { impl_->halt(); }
int Server::port() const { return impl_->listener.port(); }

void Server::replace_identity(TlsIdentity identity) {
  auto made = server_context(identity, impl_->options.client_ca_pem, impl_->options.require_client_certificate);
  if (!made) {
    log::error("TLS identity not replaced", {{"error", made.error().message}});
    return;
  }
  MutexLock lock(impl_->context_mutex);
  impl_->context = *made;
}

}  // namespace twinspan::net
