#include "worker/s3/connection.hpp"

#include <fmt/format.h>

#include "core/file.hpp"
#include "s3/credentials.hpp"
#include "worker/s3/route_spec.hpp"

namespace twinspan::worker_s3 {
namespace {

std::shared_ptr<s3::CredentialSource> credentials_of(const api::Endpoint& endpoint, const std::string& folder,
                                                     const std::string& ca_pem, const Clock& clock) {
  if (endpoint.s3->credentials_secret_ref) return std::make_shared<s3::FileCredentials>(folder + "/credentials", clock);
  if (auto web = s3::WebIdentityCredentials::from_environment(endpoint.s3->region)) {
    if (web->ca_pem.empty()) web->ca_pem = ca_pem;
    return std::make_shared<s3::WebIdentityCredentials>(std::move(*web), clock);
  }
  return std::make_shared<s3::InstanceCredentials>(clock);
}

}  // namespace

Result<std::string> authority_of(const api::Endpoint& endpoint, const std::string& s3_dir) {
  if (!endpoint.s3->ca_secret_ref) return "";
  auto ca = read_file(s3_dir + "/" + endpoint.name + "/ca/ca.crt");
  if (!ca)
    return fail(Code::kDenied,
                fmt::format("Secret {} does not exist, or has no key ca.crt", endpoint.s3->ca_secret_ref->name));
  return ca;
}

Result<std::unique_ptr<s3::Client>> connect(const api::Endpoint& endpoint, const std::string& s3_dir,
                                            int64_t objects_at_once, const Clock& clock, Patience patience) {
  const auto ca_pem = authority_of(endpoint, s3_dir);
  if (!ca_pem) return std::unexpected(ca_pem.error());
  auto credentials = credentials_of(endpoint, s3_dir + "/" + endpoint.name, *ca_pem, clock);
  s3::ClientConfig config = client_config(*endpoint.s3, *ca_pem, objects_at_once);
  config.tries = patience.tries;
  config.timeout = patience.timeout;
  return std::make_unique<s3::Client>(std::move(config), std::move(credentials), clock);
}

}  // namespace twinspan::worker_s3
