#include "operator/secure_metrics.hpp"

#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "core/text.hpp"
#include "operator/probe_server.hpp"

namespace twinspan {
namespace {

using std::chrono_literals::operator""s;

kube::Config impatient(kube::Config config) {
  config.request_timeout = 3s;
  config.connections = 2;
  return config;
}

webhooks::CertificateSource certificate_of(const Options& options, const std::string& ns) {
  webhooks::CertificateSource source;
  source.whose = "metrics";
  source.directory = options.metrics_certificate_dir;
  source.ns = ns;
  source.service = options.metrics_service;
  source.secret = source.config_map = options.metrics_service + "-ca";
  return source;
}

}  // namespace

std::string bearer_token(const net::IncomingRequest& request) {
  constexpr std::string_view kScheme = "bearer ";
  std::string header = request.header("Authorization");
  if (to_lower(std::string_view(header).substr(0, kScheme.size())) != kScheme) return "";
  header.erase(0, std::min(header.find_first_not_of(' ', kScheme.size()), header.size()));
  return header;
}

net::OutgoingResponse answer_by(const Result<kube::Access>& access,
                                const std::function<net::OutgoingResponse()>& answer) {
  if (!access) return net::plain_text(503, "the Kubernetes API can't say now who may read this; the log says why\n");
  switch (*access) {
    case kube::Access::kAllowed: return answer();
    case kube::Access::kForbidden:
      return net::plain_text(403,
                             "the token's user may not get /metrics: a ClusterRole with nonResourceURLs gives it\n");
    case kube::Access::kUnknown: break;
  }
  net::OutgoingResponse refused =
      net::plain_text(401, "expected Authorization: Bearer, with a token of this cluster\n");
  refused.headers.emplace_back("WWW-Authenticate", "Bearer");
  return refused;
}

SecureMetrics::SecureMetrics(const Options& options, kube::Client& client, const Clock& clock, Answer answer)
    : answer_(std::move(answer)),
      reviews_(impatient(client.config())),
      access_(clock, [this](std::string_view path, const Json& review,
                            const std::stop_token& stop) { return reviews_.raw("POST", path, review, stop); }),
      server_(
          probe_options(options.metrics), certificate_of(options, client.config().default_namespace), client, clock,
          [this](const net::IncomingRequest& request, std::stop_token stop) { return serve(request, stop); },
          "metrics-keeper") {}

net::OutgoingResponse SecureMetrics::serve(const net::IncomingRequest& request, const std::stop_token& stop) {
  if (request.method != "GET") return net::plain_text(405, "only GET\n");
  const auto access = access_.may_get("/metrics", bearer_token(request), stop);
  note(access ? "" : access.error().message);
  return answer_by(access, [&] { return answer_(request); });
}

void SecureMetrics::note(const std::string& trouble) {
  MutexLock lock(mutex_);
  if (trouble == noted_) return;
  noted_ = trouble;
  if (!trouble.empty()) log::warn("nobody can be let in to /metrics", {{"error", trouble}});
}

}  // namespace twinspan
