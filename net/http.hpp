// HTTP/1.1 with TLS: one client and one server for every room. Libraries stay behind these declarations.
#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.hpp"

namespace twinspan::net {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct TlsIdentity {  // PEM text, never a path: callers read files and re-read them on rotation
  std::string certificate_pem, key_pem;
};

struct ClientTls {
  std::string ca_pem{};  // empty: the system's roots
  bool verify = true;
  std::optional<TlsIdentity> identity{};  // for mutual TLS
  std::string server_name{};              // SNI and the name the certificate must carry; empty: the host of the URL
};

struct Response {
  int status = 0;
  Headers headers;
  std::string body;
  std::string header(std::string_view name) const;  // case-insensitive; empty where absent
};

struct Request {
  std::string method = "GET";
  std::string path = "/";  // with query, percent-encoded
  Headers headers{};
  std::string body{};
  std::string_view body_view{};  // sent where `body` is empty, without a copy; the caller keeps it until the answer
  // Set: writes the body, `stream_bytes` of it, piece by piece; the writer returns false once the connection is of no
  // more use. Where this returns false, or has written another number of bytes, the connection is cut: the server sees
  // half a request.
  std::function<bool(const std::function<bool(std::string_view)>& write)> stream{};
  uint64_t stream_bytes = 0;
  std::string content_type{};
  std::chrono::milliseconds timeout{10000};
  bool timeout_is_silence = false;  // the longest that nothing may move, however long the whole exchange takes
  std::chrono::milliseconds head_timeout{0};  // of a stream: how long its status may take; 0: as `timeout`
};

// Keeps up to `connections` kept-alive connections and uses them from any thread, one request each at a time.
// A transport failure is kUnavailable or kTimeout; any HTTP status is a Response. Answers at once when `stop` is set
// (kCancelled).
class Client {
 public:
  struct Options {
    size_t connections = 8;
    std::chrono::milliseconds connect_timeout{3000};
    // For many connections and large bodies: TLS sessions are resumed, and more is read at once, at 48 KiB a
    // connection.
    bool bulk = false;
  };
  // `url`: scheme, host and port: "https://10.0.0.1:6443".
  Client(std::string url, ClientTls tls, Options options);
  Client(std::string url, ClientTls tls) : Client(std::move(url), std::move(tls), Options{}) {}
  ~Client();

  Result<Response> send(const Request& request, std::stop_token stop = {});
  // As send(), but the body of an answer with status 200 or 206 goes to `chunk` as it arrives, for answers too large to
  // hold. Where `chunk` returns false the answer ends there, without an error.
  // `opened` sees the answer's head before `chunk` sees its body; false ends it there, too.
  Result<Response> receive(const Request& request, const std::function<bool(std::string_view)>& chunk,
                           std::stop_token stop = {}, const std::function<bool(const Response&)>& opened = {});
  // A long answer on a connection of its own. `chunk` returns false to end it. The Response has no body where status is
  // 200 or 206. `request.timeout` is the longest silence that is borne.
  // `opened` is called once the status is known.
  Result<Response> stream(const Request& request, const std::function<bool(std::string_view)>& chunk,
                          std::stop_token stop, const std::function<void(int status)>& opened = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct IncomingRequest {
  std::string method, path, body;                 // path: decoded, without the query
  std::string target;                             // path and query as they came
  std::multimap<std::string, std::string> query;  // decoded
  Headers headers;
  std::string remote_address;
  std::string peer_common_name;  // of the verified client certificate; empty: none
  std::string header(std::string_view name) const;
};

struct OutgoingResponse {
  int status = 200;
  std::string body;
  std::string_view body_view{};            // sent where `body` is empty, without a copy …
  std::shared_ptr<const void> body_owner;  // … and kept by this until it is
  std::string content_type = "application/json";
  Headers headers;
  // Set: the answer is streamed in chunks. Called again and again with a writer that returns false once the client is
  // gone; returns false when the stream is over. It may block, but must look at `stop`.
  std::function<bool(const std::function<bool(std::string_view)>& write, const std::stop_token& stop)> stream;
};

// For people and probes.
OutgoingResponse plain_text(int status, std::string body);

// Thrown by a handler or by its stream: the connection is closed at once, without an answer or without its proper end.
struct CutConnection {};

// Of servers that many may reach and few need: kubelet, Prometheus and an operator have one or two each.
inline constexpr size_t kProbesOfOneAddress = 32;

struct ServerOptions {
  std::string address = "0.0.0.0";
  int port = 0;                                // 0: any free one
  std::optional<TlsIdentity> identity{};       // absent: plain HTTP
  std::string client_ca_pem{};                 // set: client certificates are verified against it …
  bool require_client_certificate = false;     // … and demanded
  size_t threads = 8;                          // requests served at once; idle connections and streams don't count
  size_t body_bytes_most = 64 << 20;           // 413 for requests with larger ones
  size_t connections_of_one_address_most = 0;  // more are closed; 0: any number
};

class Server {
 public:
  using Handler = std::function<OutgoingResponse(const IncomingRequest&)>;  // called from several threads
  Server(ServerOptions options, Handler handler);
  ~Server();       // stops
  Status start();  // listens, serves on threads of its own
  void stop();
  int port() const;
  void replace_identity(TlsIdentity identity);  // new connections use it: rotation without downtime

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::string percent_encode(std::string_view text);  // RFC 3986 unreserved stay
std::string percent_decode(std::string_view text);

}  // namespace twinspan::net
