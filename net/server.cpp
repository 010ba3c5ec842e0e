#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.hpp"
#include "net/connection.hpp"
#include "net/crew.hpp"
#include "net/http.hpp"
#include "net/lobby.hpp"

namespace twinspan::net {
namespace {

constexpr std::chrono::seconds kRequestTime{30};  // to read a request, to write an answer
constexpr std::chrono::seconds kHandshakeTime{10};
constexpr std::chrono::seconds kIdleTime{90};  // longer than clients keep connections, so that they close them

// What is known of one connection for as long as it lives.
struct Session {
  Session(int descriptor, SslSession ssl, const Waker& waker)
      : fd(descriptor), connection(descriptor, std::move(ssl), waker) {}
  ~Session() {
    connection.say_goodbye();
    shutdown(fd, SHUT_RDWR);
    close(fd);
  }
  const int fd;
  Connection connection;
  bool greeted = false;  // the TLS handshake is done
  std::string peer_common_name;
};

thread_local Session* current = nullptr;  // the session whose request this thread serves

IncomingRequest to_incoming(const httplib::Request& request) {
  IncomingRequest out;
  out.method = request.method;
  out.path = request.path;
  out.body = request.body;
  out.query.insert(request.params.begin(), request.params.end());
  out.headers.assign(request.headers.begin(), request.headers.end());
  out.remote_address = request.remote_addr;
  out.peer_common_name = current->peer_common_name;
  return out;
}

}  // namespace

struct Server::Impl final : httplib::Server {
  Impl(ServerOptions given, net::Server::Handler handle)
      : options(std::move(given)), handler(std::move(handle)), crew(std::max<size_t>(options.threads, 1)) {}

  // cpp-httplib hands accepted sockets over through a TaskQueue; here they go straight to the lobby.
  struct Door final : httplib::TaskQueue {
    void enqueue(std::function<void()> job) override { job(); }
    void shutdown() override {}
  };

  void route() {
    const auto serve = [this](const httplib::Request& request, httplib::Response& response) {
      answer(request, response);
    };
    static const std::string kAny = "[\\s\\S]*";
    Get(kAny, serve).Post(kAny, serve).Put(kAny, serve).Patch(kAny, serve).Delete(kAny, serve).Options(kAny, serve);
    set_pre_routing_handler([](const httplib::Request& seen, httplib::Response&) {
      auto& request = const_cast<httplib::Request&>(seen);  // the object is a plain local of cpp-httplib's
      // Without a length cpp-httplib would read the body until the peer closes (curl -X DELETE sends none).
      if (!request.has_header("Content-Length") && !request.has_header("Transfer-Encoding"))
        request.headers.emplace("Content-Length", "0");
      // It would compress chunks without flushing them, so that a watch's events came late.
      request.headers.erase("Accept-Encoding");
      return HandlerResponse::Unhandled;
    });
    set_keep_alive_max_count(1'000'000'000);
    set_keep_alive_timeout(kIdleTime.count());  // for the Keep-Alive header
    set_payload_max_length(64 << 20);
    set_tcp_nodelay(true);
    set_socket_options([](int fd) {  // not SO_REUSEPORT, by which two programs would share a port unseen
      const int yes = 1;
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    new_task_queue = [] { return new Door; };
  }

  void answer(const httplib::Request& request, httplib::Response& response) {
    OutgoingResponse out;
    try {
      out = handler(to_incoming(request));
    } catch (const CutConnection&) {
      current->connection.fail();
      return;
    } catch (const std::exception& error) {
      log::error("HTTP handler failed", {{"path", request.path}, {"error", error.what()}});
      out = {};
      out.status = 500;
      out.content_type = "text/plain";
      out.body = "internal error\n";
    }
    response.status = out.status;
    for (const auto& [name, value] : out.headers) response.set_header(name, value);
    if (!out.stream) {
      response.set_content(out.body, out.content_type);
      return;
    }
    auto stream = std::make_shared<decltype(out.stream)>(std::move(out.stream));
    auto over = std::make_shared<std::stop_source>();
    const int fd = current->fd;
    crew.lend();
    lobby.watch_for_close(fd, [over] { over->request_stop(); });
    response.set_chunked_content_provider(
        out.content_type,
        [stream, over](size_t, httplib::DataSink& sink) {
          Connection& connection = current->connection;
          connection.limit(Connection::Clock::time_point::max(), kRequestTime);
          const auto write = [&](std::string_view data) {
            if (data.empty()) return connection.flush();
            const bool sent = sink.write(data.data(), data.size()) && connection.flush();
            if (!sent) over->request_stop();
            return sent;
          };
          if (!connection.flush()) return false;  // the head goes out before the first chunk is there
          try {
            if ((*stream)(write, over->get_token())) return true;
          } catch (const CutConnection&) {
            connection.fail();
            return false;
          } catch (const std::exception& error) {
            log::error("HTTP stream failed", {{"error", error.what()}});
            connection.fail();
            return false;
          }
          sink.done();
          return true;
        },
        [this, fd](bool) {
          lobby.forget(fd);
          crew.take_back();
        });
  }

  // Called by cpp-httplib for each accepted socket.
  bool process_and_close_socket(socket_t fd) override {
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    const int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
    const int patience = 30'000;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience);
    SslSession ssl;
    if (options.identity) {
      std::lock_guard lock(context_mutex);
      ssl.reset(SSL_new(context.get()));
    }
    park(std::make_shared<Session>(fd, std::move(ssl), waker), kHandshakeTime);
    return true;
  }

  void park(const std::shared_ptr<Session>& session, std::chrono::milliseconds time) {
    lobby.wait_for_input(session->fd, time, [this, session](bool readable) {
      if (readable) crew.enqueue([this, session] { serve(session); });
    });
  }

  void serve(const std::shared_ptr<Session>& session) {
    Connection& connection = session->connection;
    current = session.get();
    if (connection.session() && !session->greeted) {
      connection.limit(Connection::Clock::now() + kHandshakeTime, {});
      if (!connection.accept_tls()) {
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
      bool closed = false;
      const bool done = process_request(connection, false, closed, nullptr);
      more = connection.flush() && done && !closed && !stopping;
    } while (more && connection.has_input());
    current = nullptr;
    if (more) park(session, kIdleTime);
  }

  Status start() {
    if (options.identity) {
      auto made = server_context(*options.identity, options.client_ca_pem, options.require_client_certificate);
      if (!made) return std::unexpected(made.error());
      context = *made;
    }
    route();
    if (options.port == 0) {
      port = bind_to_any_port(options.address);
    } else {
      port = bind_to_port(options.address, options.port) ? options.port : -1;
    }
    if (port <= 0)
      return fail(Code::kUnavailable,
                  fmt::format("listen on {}:{}: {}", options.address, options.port, strerror(errno)));
    ::listen(svr_sock_, 1024);  // cpp-httplib's backlog of 5 makes clients wait a second under load
    listener = std::jthread([this] { listen_after_bind(); });
    while (!is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return {};
  }

  void halt() {
    if (!listener.joinable()) return;
    stopping = true;
    httplib::Server::stop();
    listener.join();
    lobby.stop();  // streams see their stop token
    waker.wake();  // whoever waits for a peer gives up
    crew.stop();
  }

  ServerOptions options;
  const net::Server::Handler handler;
  int port = 0;
  std::mutex context_mutex;
  SslContext context;
  Waker waker;
  std::atomic<bool> stopping{false};
  Crew crew;
  Lobby lobby;
  std::jthread listener;
};

Server::Server(ServerOptions options, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler))) {}
Server::~Server() { stop(); }
Status Server::start() { return impl_->start(); }
void Server::stop() { impl_->halt(); }
int Server::port() const { return impl_->port; }

void Server::replace_identity(TlsIdentity identity) {
  auto made = server_context(identity, impl_->options.client_ca_pem, impl_->options.require_client_certificate);
  if (!made) {
    log::error("TLS identity not replaced", {{"error", made.error().message}});
    return;
  }
  std::lock_guard lock(impl_->context_mutex);
  impl_->context = *made;
}

}  // namespace twinspan::net
