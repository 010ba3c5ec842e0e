#include "worker/servers.hpp"

#include <nlohmann/json.hpp>

#include "contract/member_report.hpp"
#include "core/file.hpp"
#include "core/log.hpp"

namespace twinspan::worker {
namespace {

constexpr std::string_view kOperator = "twinspan-operator";
constexpr size_t kBodyBytesMost = 1 << 16;  // what is asked here has no body

net::OutgoingResponse plain(int status, std::string body) {
  net::OutgoingResponse response;
  response.status = status;
  response.body = std::move(body);
  response.content_type = "text/plain";
  return response;
}

}  // namespace

Servers::Servers(ServersConfig config, const ReportBoard& board, std::function<std::string()> metrics,
                 std::function<bool()> alive)
    : config_(std::move(config)), board_(board), metrics_(std::move(metrics)), alive_(std::move(alive)) {}

Status Servers::start() {
  net::ServerOptions health;
  health.address = config_.address;
  health.port = config_.health_port;
  health.threads = 2;
  health.connections_of_one_address_most = net::kProbesOfOneAddress;
  health.body_bytes_most = kBodyBytesMost;
  health_ = std::make_unique<net::Server>(
      health, [this](const net::IncomingRequest& request) { return this->health(request); });
  if (auto started = health_->start(); !started) return started;
  return start_status();
}

Status Servers::start_status() {
  const auto certificate = read_file(config_.certificate_file);
  const auto key = read_file(config_.key_file);
  const auto ca = read_file(config_.ca_file);
  if (!certificate) return std::unexpected(certificate.error());
  if (!key) return std::unexpected(key.error());
  if (!ca) return std::unexpected(ca.error());
  net::ServerOptions status;
  status.address = config_.address;
  status.port = config_.status_port;
  status.threads = 2;
  status.connections_of_one_address_most = net::kProbesOfOneAddress;
  status.body_bytes_most = kBodyBytesMost;
  status.identity = net::TlsIdentity{*certificate, *key};
  status.client_ca_pem = *ca;
  status.require_client_certificate = true;
  status_ = std::make_unique<net::Server>(
      status, [this](const net::IncomingRequest& request) { return this->status(request); });
  ca_pem_ = *ca;
  certificate_pem_ = *certificate;
  return status_->start();
}

void Servers::stop() {
  if (status_) status_->stop();
  if (health_) health_->stop();
}

void Servers::refresh_identity() {
  const auto certificate = read_file(config_.certificate_file);
  const auto key = read_file(config_.key_file);
  const auto ca = read_file(config_.ca_file);
  if (!certificate || !key || !ca || read_file(config_.certificate_file) != certificate) return;  // changing just now
  if (!status_ || *ca != ca_pem_) {  // whom it trusts is fixed when a server starts
    if (status_) status_->stop();
    status_.reset();
    if (auto started = start_status(); !started) {
      status_.reset();  // tried again at the next look
      log::error("status server does not start", {{"error", started.error().message}});
    }
  } else if (*certificate != certificate_pem_) {
    status_->replace_identity({*certificate, *key});
    certificate_pem_ = *certificate;
  }
}

net::OutgoingResponse Servers::status(const net::IncomingRequest& request) const {
  if (request.peer_common_name != kOperator) return plain(403, "only the operator may ask\n");
  if (request.method != "GET" || request.path != "/status") return plain(404, "not found\n");
  const auto latest = board_.latest();
  if (!latest) return plain(503, "starting\n");
  net::OutgoingResponse response;
  // Words of other programs may be no UTF-8.
  response.body = to_json(latest->report).dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

net::OutgoingResponse Servers::health(const net::IncomingRequest& request) const {
  if (request.method != "GET") return plain(405, "only GET\n");
  if (request.path == "/healthz") return alive_() ? plain(200, "ok\n") : plain(500, "the agent's main loop hangs\n");
  if (request.path == "/readyz") {
    const auto latest = board_.latest();
    if (!latest) return plain(503, "starting\n");
    const std::string state =
        std::string(to_string(latest->report.role)) + " " + std::string(to_string(latest->report.state)) + "\n";
    return plain(latest->ready ? 200 : 503, state);
  }
  if (request.path == "/metrics") {
    net::OutgoingResponse response = plain(200, metrics_());
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
  }
  return plain(404, "not found\n");
}

}  // namespace twinspan::worker
