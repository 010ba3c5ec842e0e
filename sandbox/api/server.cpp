#include "sandbox/api/server.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base64.hpp"
#include "core/log.hpp"
#include "pki/certificate.hpp"
#include "sandbox/api/collector.hpp"
#include "sandbox/api/patch.hpp"
#include "sandbox/api/routes.hpp"

namespace twinspan::sandbox {
namespace {

std::string to_kubeconfig(const kube::Config& config) {
  Json cluster = {{"server", config.server}}, user = Json::object();
  if (!config.ca_pem.empty()) cluster["certificate-authority-data"] = base64_encode(config.ca_pem);
  if (!config.token.empty()) user["token"] = config.token;
  if (!config.client_certificate_pem.empty()) {
    user["client-certificate-data"] = base64_encode(config.client_certificate_pem);
    user["client-key-data"] = base64_encode(config.client_key_pem);
  }
  const Json out = {
      {"apiVersion", "v1"},
      {"kind", "Config"},
      {"current-context", "sandbox"},
      {"clusters", {{{"name", "sandbox"}, {"cluster", cluster}}}},
      {"users", {{{"name", "sandbox"}, {"user", user}}}},
      {"contexts",
       {{{"name", "sandbox"},
         {"context", {{"cluster", "sandbox"}, {"user", "sandbox"}, {"namespace", config.default_namespace}}}}}}};
  return out.dump(2) + "\n";  // JSON is YAML
}

}  // namespace

struct ApiServer::Impl {
  explicit Impl(ApiOptions given)
      : options(std::move(given)),
        store(options.history),
        registry(store, catalog, clock, options.service_network),
        access(store),
        routes(options, store, catalog, registry, access, faults),
        collector(store, catalog, registry, options.collect_interval) {}

  Status make_certificates() {
    const WallTime now = clock.wall_now(), from = now - std::chrono::hours(1),
                   until = now + std::chrono::hours(24 * 365);
    auto made = pki::make_ca("twinspan-sandbox-ca", from, until);
    if (!made) return std::unexpected(made.error());
    ca = *made;
    pki::CertificateRequest request;
    request.common_name = "twinspan-sandbox";
    request.dns_names = {"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"};
    request.ip_addresses = {"127.0.0.1"};
    if (options.address != "127.0.0.1" && options.address != "0.0.0.0") request.ip_addresses.push_back(options.address);
    request.server = true;
    request.not_before = from;
    request.not_after = until;
    made = pki::issue(ca, request);
    if (!made) return std::unexpected(made.error());
    server_pair = *made;
    pki::CertificateRequest admin_request;
    admin_request.common_name = kAdminName;
    admin_request.organization = "system:masters";
    admin_request.client = true;
    admin_request.not_before = from;
    admin_request.not_after = until;
    made = pki::issue(ca, admin_request);
    if (!made) return std::unexpected(made.error());
    admin_pair = *made;
    return {};
  }

  Status listen() {
    net::ServerOptions server_options;
    server_options.address = options.address;
    server_options.port = port;
    server_options.threads = options.threads;
    if (options.tls) {
      server_options.identity = net::TlsIdentity{server_pair.certificate_pem, server_pair.key_pem};
      server_options.client_ca_pem = ca.certificate_pem;
    }
    auto next = std::make_unique<net::Server>(
        std::move(server_options), [this](const net::IncomingRequest& request) { return routes.handle(request); });
    if (auto listening = next->start(); !listening) return listening;
    port = next->port();
    server = std::move(next);
    return {};
  }

  void seed() {
    WriteOptions as_server;
    as_server.manager = "sandbox";
    const auto make = [&](const char* group, const char* plural, const std::string& ns, Json object) {
      const KindPtr kind = catalog.find(group, "v1", plural);
      if (const auto made = registry.create(*kind, ns, std::move(object), as_server); !made)
        log::error("a built-in object was refused", {{"error", made.error().message}});
    };
    for (const char* ns : {"default", "kube-system", "kube-public"})
      make("", "namespaces", "", {{"metadata", {{"name", ns}}}});
    make("rbac.authorization.k8s.io", "clusterroles", "",
         {{"metadata", {{"name", "cluster-admin"}}},
          {"rules",
           {{{"apiGroups", {"*"}}, {"resources", {"*"}}, {"verbs", {"*"}}},
            {{"nonResourceURLs", {"*"}}, {"verbs", {"*"}}}}}});
    make("rbac.authorization.k8s.io", "clusterrolebindings", "",
         {{"metadata", {{"name", "cluster-admin"}}},
          {"roleRef", {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "ClusterRole"}, {"name", "cluster-admin"}}},
          {"subjects", {{{"kind", "Group"}, {"apiGroup", "rbac.authorization.k8s.io"}, {"name", "system:masters"}}}}});
  }

  ApiOptions options;
  SystemClock clock;
  Store store;
  Catalog catalog;
  Registry registry;
  Access access;
  Faults faults;
  Routes routes;
  Collector collector;
  pki::KeyPair ca, server_pair, admin_pair;
  std::unique_ptr<net::Server> server;
  int port = 0;
  bool started = false;
};

ApiServer::ApiServer(ApiOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {
  impl_->port = impl_->options.port;
}

ApiServer::~ApiServer() { stop(); }

Status ApiServer::start() {
  if (impl_->started) return {};
  if (impl_->options.tls)
    if (auto made = impl_->make_certificates(); !made) return made;
  impl_->seed();
  if (auto listening = impl_->listen(); !listening) return listening;
  impl_->collector.start();
  impl_->started = true;
  log::info("the sandbox API listens: for trying out and testing only, nothing is kept", {{"url", url()}});
  return {};
}

void ApiServer::stop() {
  impl_->collector.stop();
  close_listener();
}

std::string ApiServer::url() const {
  return fmt::format("{}://{}:{}", impl_->options.tls ? "https" : "http",
                     impl_->options.address == "0.0.0.0" ? "127.0.0.1" : impl_->options.address, impl_->port);
}
const std::string& ApiServer::ca_pem() const { return impl_->ca.certificate_pem; }

kube::Config ApiServer::config() const {
  kube::Config out;
  out.server = url();
  out.ca_pem = impl_->ca.certificate_pem;
  out.client_certificate_pem = impl_->admin_pair.certificate_pem;
  out.client_key_pem = impl_->admin_pair.key_pem;
  return out;
}

std::string ApiServer::kubeconfig() const { return to_kubeconfig(config()); }

std::string ApiServer::issue_token(const std::string& ns, const std::string& service_account) {
  return impl_->access.issue_token(ns, service_account);
}

kube::Config ApiServer::config_for(const std::string& ns, const std::string& service_account) {
  kube::Config out;
  out.server = url();
  out.ca_pem = impl_->ca.certificate_pem;
  out.token = issue_token(ns, service_account);
  out.default_namespace = ns;
  return out;
}

std::string ApiServer::kubeconfig_for(const std::string& ns, const std::string& service_account) {
  return to_kubeconfig(config_for(ns, service_account));
}

Status ApiServer::install_crds(const std::string& directory) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  if (error) return fail(Code::kNotFound, fmt::format("{}: {}", directory, error.message()));
  std::sort(files.begin(), files.end());
  const KindPtr kind = impl_->catalog.find("apiextensions.k8s.io", "v1", "customresourcedefinitions");
  WriteOptions strict;
  strict.manager = "sandbox";
  strict.validation = FieldValidation::kStrict;
  for (const auto& file : files) {
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    auto documents = parse_yaml_documents(text.str());
    if (!documents)
      return fail(Code::kInvalid, fmt::format("{}: {}", file.filename().string(), documents.error().message));
    for (Json& document : *documents) {
      if (document.value("kind", "") != "CustomResourceDefinition") continue;
      if (const auto made = impl_->registry.create(*kind, "", std::move(document), strict); !made)
        return fail(Code::kInvalid, fmt::format("{}: {}", file.filename().string(), made.error().message));
    }
  }
  return {};
}

void ApiServer::handle_pods(PodHandler handler) { impl_->routes.handle_pods(std::move(handler)); }

void ApiServer::inject(const FaultRule& rule) {
  impl_->faults.add(rule);
  impl_->store.wake();
}
void ApiServer::clear_faults() { impl_->faults.clear(); }
size_t ApiServer::fault_hits() const { return impl_->faults.hits(); }
void ApiServer::compact() { impl_->store.compact(); }

void ApiServer::close_listener() {
  impl_->store.wake();
  impl_->server.reset();
}
Status ApiServer::open_listener() { return impl_->server ? Status{} : impl_->listen(); }

}  // namespace twinspan::sandbox
