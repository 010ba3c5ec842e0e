#include "sandbox/s3/stub.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "sandbox/s3/service.hpp"

namespace twinspan::s3_stub {

struct Stub::Impl {
  explicit Impl(StubOptions given)
      : options(std::move(given)),
        service(options),
        access(options.credentials, options.server.identity.has_value()),
        server(options.server, [this](const Ask& ask) { return answer(ask); }) {}

  std::optional<Fault> fault_of(const Ask& ask) {
    std::lock_guard lock(mutex);
    ++requests[ask.method];
    for (auto fault = faults.begin(); fault != faults.end(); ++fault) {
      if (!fault->method.empty() && fault->method != ask.method) continue;
      if (!ask.path.starts_with(fault->path_prefix)) continue;
      if (!fault->query.empty() && !ask.query.contains(fault->query)) continue;
      Fault out = *fault;
      if (--fault->count <= 0) faults.erase(fault);
      return out;
    }
    return std::nullopt;
  }

  static Answer faulty(const Fault& fault) {
    switch (fault.kind) {
      case FaultKind::kInternal: return refuse(500, "InternalError", "We encountered an internal error");
      case FaultKind::kLateError: {
        Answer out = refuse(200, "InternalError", "after the status was sent");
        return out;
      }
      case FaultKind::kUnavailable: return refuse(503, "ServiceUnavailable", "Please try again");
      case FaultKind::kDenied: return refuse(403, "AccessDenied", "Access Denied");
      case FaultKind::kSlowDown: break;
      case FaultKind::kCut:
      case FaultKind::kCutAfter:
      case FaultKind::kCutBody: throw net::CutConnection{};
    }
    Answer out = refuse(503, "SlowDown", "Please reduce your request rate");
    out.headers.emplace_back("Retry-After", std::to_string(fault.retry_after_seconds));
    return out;
  }

  Answer answer(const Ask& ask) {
    const auto fault = fault_of(ask);
    const bool carried_out = !fault || fault->kind == FaultKind::kCutAfter || fault->kind == FaultKind::kCutBody;
    Answer out;
    const WallTime now = service.now();
    if (carried_out) {
      const auto denial = access.check(ask, now);
      out = denial ? refuse(denial->status, denial->code, denial->message) : service.serve(ask);
    }
    if (fault && fault->kind == FaultKind::kCutBody) {
      const std::string_view body = out.body.empty() ? out.body_view : std::string_view(out.body);
      out.headers.emplace_back("Content-Length", std::to_string(body.size()));
      out.headers.emplace_back("Connection", "close");
      out.body = body.substr(0, body.size() / 2);
    } else if (fault) {
      out = faulty(*fault);
    }
    if (ask.method == "HEAD" && out.status >= 300) out.body.clear();
    out.headers.emplace_back(
        "Date", fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", std::chrono::floor<std::chrono::seconds>(now)));
    out.headers.emplace_back("Server", "twinspan-s3-stub");
    return out;
  }

  const StubOptions options;
  Service service;
  Access access;
  std::mutex mutex;
  std::deque<Fault> faults;
  std::map<std::string, int64_t> requests;
  net::Server server;  // last: its threads use the rest
};

Stub::Stub(StubOptions options) {
  options.server.body_bytes_most = std::max<size_t>(options.server.body_bytes_most, size_t{1} << 30);
  impl_ = std::make_unique<Impl>(std::move(options));
}
Stub::~Stub() = default;
Status Stub::start() { return impl_->server.start(); }
int Stub::port() const { return impl_->server.port(); }
std::string Stub::endpoint() const {
  return fmt::format("{}://{}:{}", impl_->options.server.identity ? "https" : "http", impl_->options.server.address,
                     port());
}

void Stub::inject(Fault fault) {
  std::lock_guard lock(impl_->mutex);
  impl_->faults.push_back(std::move(fault));
}
void Stub::clear_faults() {
  std::lock_guard lock(impl_->mutex);
  impl_->faults.clear();
}
void Stub::set_clock_offset(std::chrono::seconds offset) { impl_->service.offset_seconds = offset.count(); }
void Stub::set_credentials(s3::Credentials credentials) { impl_->access.replace(std::move(credentials)); }
void Stub::create_bucket(const std::string& bucket) { impl_->service.create_bucket(bucket); }
void Stub::add(const std::string& bucket, const std::string& key, std::string body) {
  Object object;
  object.body = std::make_shared<const std::string>(std::move(body));
  impl_->service.put_object(bucket, key, std::move(object));
}
void Stub::remove(const std::string& bucket, const std::string& key) { impl_->service.delete_object(bucket, key); }
int64_t Stub::requests(const std::string& method) const {
  std::lock_guard lock(impl_->mutex);
  int64_t out = 0;
  for (const auto& [name, count] : impl_->requests)
    if (method.empty() || method == name) out += count;
  return out;
}
size_t Stub::objects(const std::string& bucket) const { return impl_->service.objects(bucket); }
std::vector<std::string> Stub::keys(const std::string& bucket) const { return impl_->service.keys(bucket); }
std::optional<std::string> Stub::body(const std::string& bucket, const std::string& key) const {
  return impl_->service.body(bucket, key);
}
size_t Stub::uploads(const std::string& bucket) const { return impl_->service.uploads(bucket); }

}  // namespace twinspan::s3_stub
