#include "kube/client.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/guarded.hpp"
#include "core/wait.hpp"
#include "kube/api_error.hpp"
#include "kube/credential.hpp"
#include "kube/list_splitter.hpp"
#include "kube/metrics.hpp"
#include "kube/object_parser.hpp"
#include "kube/pace.hpp"
#include "kube/watch_decoder.hpp"
#include "net/http.hpp"

namespace twinspan::kube {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kRepetitions = 10;                 // of one call that the server asks to repeat later
constexpr std::chrono::seconds kWatchGrace{30};  // how much later than announced a server may end a watch
constexpr std::chrono::seconds kWatchUnlimited{3600};
constexpr std::chrono::seconds kPageTime{60};  // a page of a list may be long

class Query {
 public:
  explicit Query(std::string path) : text_(std::move(path)), first_(text_.find('?') == std::string::npos) {}
  Query& add(std::string_view name, std::string_view value) {
    if (value.empty()) return *this;
    text_ += first_ ? '?' : '&';
    first_ = false;
    text_ += name;
    text_ += '=';
    text_ += net::percent_encode(value);
    return *this;
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
  bool first_;
};

Result<Key> key_of(const Json& object, const Resource& resource) {
  const auto metadata = object.is_object() ? object.find("metadata") : object.end();
  if (!object.is_object() || metadata == object.end() || !metadata->is_object())
    return fail(Code::kInvalid, fmt::format("{}: metadata is missing", resource.kind));
  return Key{text_of(*metadata, "namespace"), text_of(*metadata, "name")};
}

Result<Json> checked(Json&& body) {
  if (body.is_discarded()) return fail(Code::kUnavailable, "the API server's answer is no JSON");
  return std::move(body);
}

// Seconds, as the API server sends it; nullopt where absent or a date.
std::optional<milliseconds> retry_after(const net::Response& response) {
  const std::string value = response.header("Retry-After");
  int seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (value.empty() || error != std::errc() || end != value.data() + value.size() || seconds < 0) return std::nullopt;
  return std::chrono::seconds(seconds);
}

std::string_view code_label(const net::Response& response, std::array<char, 8>& buffer) {
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), response.status).ptr;
  return {buffer.data(), static_cast<size_t>(end - buffer.data())};
}

}  // namespace

struct Client::Impl {
  explicit Impl(Config given)
      : config(std::move(given)), credentials(config), pace(config.requests_per_second), host(config.server) {
    if (const size_t scheme = host.find("://"); scheme != std::string::npos) host.erase(0, scheme + 3);
  }

  // The connections for `credential`: a new set where a plugin handed out another certificate.
  std::shared_ptr<net::Client> wire(const Credential& credential) {
    MutexLock lock(wire_mutex);
    if (!wire_now || wire_certificate != credential.certificate_pem) {
      net::ClientTls tls;
      tls.ca_pem = config.ca_pem;
      tls.verify = !config.insecure_skip_tls_verify;
      tls.server_name = config.tls_server_name;
      if (!credential.certificate_pem.empty())
        tls.identity = net::TlsIdentity{credential.certificate_pem, credential.key_pem};
      wire_now = std::make_shared<net::Client>(config.server, std::move(tls),
                                               net::Client::Options{.connections = config.connections});
      wire_certificate = credential.certificate_pem;
    }
    return wire_now;
  }

  using Exchange = std::function<Result<net::Response>(net::Client&, net::Request&)>;
  enum class Kind { kRequest, kWatch };

  // One call: credentials, pace, repetition where the server asks for it, metrics. Any answer that is not 2xx is an
  // Error.
  Result<net::Response> call(net::Request request, milliseconds time, const std::stop_token& stop,
                             const Exchange& exchange, Kind kind = Kind::kRequest) {
    const auto deadline = SteadyClock::now() + time;
    const auto left = [&] { return std::chrono::ceil<milliseconds>(deadline - SteadyClock::now()); };
    bool fresh_credentials = false;
    for (int repetition = 0;; ++repetition) {
      if (!pace.wait(left(), stop)) {
        if (stop.stop_requested()) return fail(Code::kCancelled, "cancelled");
        return fail(Code::kTimeout, "the client's own request limit");
      }
      auto credential = credentials.current(stop);
      if (!credential) return std::unexpected(credential.error());
      const std::shared_ptr<net::Client> connections = wire(*credential);
      net::Request attempt = request;
      attempt.headers.emplace_back("User-Agent", config.user_agent);
      if (!credential->token.empty()) attempt.headers.emplace_back("Authorization", "Bearer " + credential->token);
      attempt.timeout = std::max(left(), milliseconds(1));
      auto answer = measured(*connections, attempt, exchange, kind);
      if (!answer) return answer;
      if (answer->status >= 200 && answer->status < 300) return answer;
      if (answer->status == 401 && !fresh_credentials && credentials.rejected(*credential)) {
        fresh_credentials = true;
        continue;
      }
      const Error error = error_of(*answer);
      const auto pause = answer->status == 429 || answer->status >= 500 ? retry_after(*answer) : std::nullopt;
      if (!pause || repetition == kRepetitions || *pause >= left()) return std::unexpected(error);
      if (!wait_for(*pause, stop)) return fail(Code::kCancelled, "cancelled");
    }
  }

  Result<net::Response> measured(net::Client& connections, net::Request& request, const Exchange& exchange, Kind kind) {
    const auto start = SteadyClock::now();
    auto answer = exchange(connections, request);
    std::array<char, 8> buffer;
    const std::string code(answer ? code_label(*answer, buffer) : std::string_view("<error>"));
    metrics().requests_total.Add({{"code", code}, {"method", request.method}, {"host", host}}).Increment();
    if (kind == Kind::kWatch) return answer;  // lasts minutes by design
    metrics()
        .request_duration_seconds.Add({{"verb", request.method}, {"host", host}}, seconds_buckets())
        .Observe(std::chrono::duration<double>(SteadyClock::now() - start).count());
    return answer;
  }

  Result<net::Response> send(net::Request request, const std::stop_token& stop) {
    return call(std::move(request), config.request_timeout, stop,
                [&](net::Client& connections, net::Request& attempt) { return connections.send(attempt, stop); });
  }
  Result<net::Response> exchange_json(std::string_view method, std::string path, const Json* body,
                                      std::string_view content_type, const std::stop_token& stop) {
    net::Request request;
    request.method = method;
    request.path = std::move(path);
    request.headers.emplace_back("Accept", "application/json");
    if (body) {
      request.body = body->dump(-1, ' ', false, Json::error_handler_t::replace);
      request.content_type = content_type;
    }
    return send(std::move(request), stop);
  }
  Result<Json> send_json(std::string_view method, std::string path, const Json* body, std::string_view content_type,
                         const std::stop_token& stop) {
    auto answer = exchange_json(method, std::move(path), body, content_type, stop);
    if (!answer) return std::unexpected(answer.error());
    return checked(Json::parse(answer->body, nullptr, false));
  }

  // One page; the list without its items.
  Result<Json> page(std::string path, const std::function<void(Json&&)>& each,
                    const std::function<bool(const ObjectHead&)>& known, milliseconds timeout,
                    const std::stop_token& stop) {
    if (timeout.count() == 0) timeout = std::max<milliseconds>(config.request_timeout, kPageTime);
    net::Request request;
    request.path = std::move(path);
    request.headers.emplace_back("Accept", "application/json");
    std::optional<ListSplitter> splitter;
    auto answer = call(std::move(request), timeout, stop, [&](net::Client& connections, net::Request& attempt) {
      splitter.emplace(each, known);
      return connections.receive(
          attempt, [&](std::string_view chunk) { return splitter->push(chunk); }, stop);
    });
    if (!answer) return std::unexpected(answer.error());
    return splitter->finish();
  }

  const Config config;
  CredentialSource credentials;
  Pace pace;
  std::string host;  // the metrics' label
  Mutex wire_mutex;
  std::shared_ptr<net::Client> wire_now GUARDED_BY(wire_mutex);
  std::string wire_certificate GUARDED_BY(wire_mutex);
};

Client::Client(Config config) : impl_(std::make_unique<Impl>(std::move(config))) {}
Client::~Client() = default;
const Config& Client::config() const { return impl_->config; }

Result<Json> Client::get(const Resource& resource, const Key& key, std::stop_token stop) {
  return impl_->send_json("GET", resource.path(key.ns, key.name), nullptr, "", stop);
}

Result<std::string> Client::list(const Resource& resource, std::string_view ns, const ListOptions& options,
                                 const std::function<void(Json&&)>& each, std::stop_token stop) {
  // Items of a list carry neither apiVersion nor kind for built-in types; they do in every other answer.
  const std::string api_version = resource.api_version(), kind(resource.kind);
  const auto completed = [&](Json&& item) {
    item.emplace("apiVersion", api_version);
    item.emplace("kind", kind);
    each(std::move(item));
  };
  std::string token, version;
  do {
    Query query(resource.path(ns, ""));
    query.add("labelSelector", options.label_selector).add("fieldSelector", options.field_selector);
    if (options.page > 0) query.add("limit", std::to_string(options.page));
    // A continued list has the version of its first page; the API server refuses both at once.
    if (token.empty()) {
      query.add("resourceVersion", options.resource_version);
    } else {
      query.add("continue", token);
    }
    auto page = impl_->page(query.take(), completed, options.known, options.page_timeout, stop);
    if (!page) return std::unexpected(page.error());
    const auto metadata = page->find("metadata");
    if (metadata == page->end() || !metadata->is_object())
      return fail(Code::kUnavailable, fmt::format("{}: the answer is no list", resource.plural));
    version = text_of(*metadata, "resourceVersion");
    token = text_of(*metadata, "continue");
  } while (!token.empty());
  return version;
}

Result<std::string> Client::present_version(const Resource& resource, std::string_view ns, const ListOptions& options,
                                            std::stop_token stop) {
  Query query(resource.path(ns, ""));
  query.add("labelSelector", options.label_selector).add("fieldSelector", options.field_selector).add("limit", "1");
  const auto page = impl_->page(
      query.take(), [](Json&&) {}, [](const ObjectHead&) { return true; }, options.page_timeout, std::move(stop));
  if (!page) return std::unexpected(page.error());
  return text_of(member_of(*page, "metadata"), "resourceVersion");
}

Result<Json> Client::create(const Resource& resource, const Json& object, std::stop_token stop,
                            std::string_view manager) {
  const auto key = key_of(object, resource);
  if (!key) return std::unexpected(key.error());
  Query query(resource.path(key->ns, ""));
  query.add("fieldManager", manager);
  return impl_->send_json("POST", query.take(), &object, "application/json", stop);
}

namespace {
std::string with(std::string path, Subresource sub) { return sub == Subresource::kStatus ? path + "/status" : path; }
}  // namespace

Result<Json> Client::update(const Resource& resource, const Json& object, Subresource sub, std::stop_token stop) {
  const auto key = key_of(object, resource);
  if (!key) return std::unexpected(key.error());
  return impl_->send_json("PUT", with(resource.path(key->ns, key->name), sub), &object, "application/json", stop);
}

Result<Json> Client::merge_patch(const Resource& resource, const Key& key, const Json& patch, Subresource sub,
                                 std::stop_token stop) {
  auto answer = impl_->exchange_json("PATCH", with(resource.path(key.ns, key.name), sub), &patch,
                                     "application/merge-patch+json", stop);
  if (!answer) return std::unexpected(answer.error());
  return checked(parse_object(answer->body));
}

Result<Json> Client::apply(const Resource& resource, const Json& object, std::string_view manager, Subresource sub,
                           std::stop_token stop) {
  const auto key = key_of(object, resource);
  if (!key) return std::unexpected(key.error());
  Query query(with(resource.path(key->ns, key->name), sub));
  query.add("fieldManager", manager).add("force", "true");
  return impl_->send_json("PATCH", query.take(), &object, "application/apply-patch+yaml", stop);
}

Status Client::remove(const Resource& resource, const Key& key, const DeleteOptions& options, std::stop_token stop) {
  Json body = {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
  if (!options.uid.empty()) body["preconditions"]["uid"] = options.uid;
  if (!options.resource_version.empty()) body["preconditions"]["resourceVersion"] = options.resource_version;
  if (options.grace_seconds) body["gracePeriodSeconds"] = *options.grace_seconds;
  if (!options.propagation.empty()) body["propagationPolicy"] = options.propagation;
  auto answer = impl_->send_json("DELETE", resource.path(key.ns, key.name), &body, "application/json", stop);
  if (!answer) return std::unexpected(answer.error());
  return {};
}

Status Client::watch(const Resource& resource, std::string_view ns, const WatchOptions& options,
                     const std::function<void(WatchType, Json&&)>& each, std::stop_token stop) {
  Query query(resource.path(ns, ""));
  query.add("watch", "true")
      .add("labelSelector", options.label_selector)
      .add("fieldSelector", options.field_selector)
      .add("resourceVersion", options.resource_version)
      .add("allowWatchBookmarks", options.bookmarks ? "true" : "");
  if (options.timeout.count() > 0) query.add("timeoutSeconds", std::to_string(options.timeout.count()));
  net::Request request;
  request.path = query.take();
  request.headers.emplace_back("Accept", "application/json");
  // A peer that is gone is noticed by TCP within seconds (net/dial.hpp); this bounds a server that hangs.
  const auto silence = options.timeout.count() > 0 ? options.timeout + kWatchGrace : kWatchUnlimited;
  WatchDecoder decoder(each, options.known);
  auto answer = impl_->call(
      std::move(request), impl_->config.request_timeout, stop,
      [&](net::Client& connections, net::Request& attempt) {
        attempt.head_timeout = attempt.timeout;
        attempt.timeout = silence;
        return connections.stream(
            attempt, [&](std::string_view chunk) { return !stop.stop_requested() && decoder.push(chunk); }, stop,
            [&](int status) {
              if (status == 200 && options.on_open) options.on_open();
            });
      },
      Impl::Kind::kWatch);
  if (stop.stop_requested()) return fail(Code::kCancelled, "cancelled");
  if (decoder.error()) return std::unexpected(*decoder.error());
  if (!answer) return std::unexpected(answer.error());
  return {};
}

Result<Json> Client::raw(std::string_view method, std::string_view path, const Json& body, std::stop_token stop) {
  net::Request request;
  request.method = method;
  request.path = path;
  request.headers.emplace_back("Accept", "application/json");
  if (!body.is_null()) {
    request.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
    request.content_type = "application/json";
  }
  auto answer = impl_->send(std::move(request), stop);
  if (!answer) return std::unexpected(answer.error());
  Json parsed = Json::parse(answer->body, nullptr, false);
  return parsed.is_discarded() ? Json(answer->body) : parsed;
}

}  // namespace twinspan::kube
