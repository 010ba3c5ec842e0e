#include "pki/authority.hpp"

#include <nlohmann/json.hpp>

#include "core/base64.hpp"

namespace twinspan::pki {
namespace {

using std::chrono::days;

constexpr days kAuthorityLife{3653}, kSuccessorLead{730}, kOverlap{30};

std::vector<std::string> split(const std::string& bundle_pem) {
  static const std::string kBegin = "-----BEGIN CERTIFICATE-----", kEnd = "-----END CERTIFICATE-----";
  std::vector<std::string> out;
  for (size_t at = bundle_pem.find(kBegin); at != std::string::npos; at = bundle_pem.find(kBegin, at + 1)) {
    const size_t end = bundle_pem.find(kEnd, at);
    if (end == std::string::npos) break;
    out.push_back(bundle_pem.substr(at, end + kEnd.size() - at) + "\n");
  }
  return out;
}

Result<KeyPair> new_ca(const std::string& whose, WallTime now) {
  return make_ca("twinspan " + whose, now - kSkew, now + kAuthorityLife);
}

// When the successor takes over: all members have its certificate, or the issuer is at its end.
WallTime takeover_at(const CertificateFacts& issuer, const CertificateFacts& successor) {
  return std::min(successor.not_before + kOverlap, issuer.not_after - days(1));
}

void put(Json& data, const char* key, const std::string& value) { data[key] = base64_encode(value); }

std::string get(const Json& data, const char* key) {
  const auto found = data.find(key);
  if (found == data.end() || !found->is_string()) return {};
  return base64_decode(found->get_ref<const std::string&>()).value_or("");
}

}  // namespace

std::string Authority::bundle_pem() const {
  std::string out;
  for (const std::string& one : trusted) out += one;
  return out;
}

Result<Authority> make_authority(const std::string& whose, WallTime now) {
  auto issuer = new_ca(whose, now);
  if (!issuer) return std::unexpected(issuer.error());
  return Authority{*issuer, std::nullopt, {issuer->certificate_pem}};
}

Result<Authority> advance(Authority authority, const std::string& whose, WallTime now) {
  const auto issuer = inspect(authority.issuer.certificate_pem);
  if (!issuer) return std::unexpected(issuer.error());
  if (!authority.successor && now >= issuer->not_after - kSuccessorLead) {
    auto successor = new_ca(whose, now);
    if (!successor) return std::unexpected(successor.error());
    authority.successor = std::move(*successor);
  }
  // Somebody may have cut the bundle short: whoever issues has to be in it.
  const auto trust = [&](const std::string& pem) {
    if (std::find(authority.trusted.begin(), authority.trusted.end(), pem) == authority.trusted.end())
      authority.trusted.push_back(pem);
  };
  trust(authority.issuer.certificate_pem);
  if (authority.successor) {
    trust(authority.successor->certificate_pem);
    const auto successor = inspect(authority.successor->certificate_pem);
    if (!successor) return std::unexpected(successor.error());
    if (now >= takeover_at(*issuer, *successor)) {
      authority.issuer = std::move(*authority.successor);
      authority.successor.reset();
    }
  }
  std::erase_if(authority.trusted, [&](const std::string& pem) {
    const auto facts = inspect(pem);
    return !facts || facts->not_after < now;
  });
  return authority;
}

Result<WallTime> next_step_at(const Authority& authority) {
  const auto issuer = inspect(authority.issuer.certificate_pem);
  if (!issuer) return std::unexpected(issuer.error());
  WallTime at = issuer->not_after - kSuccessorLead;
  if (authority.successor) {
    const auto successor = inspect(authority.successor->certificate_pem);
    if (!successor) return std::unexpected(successor.error());
    at = takeover_at(*issuer, *successor);
  }
  for (const std::string& pem : authority.trusted)
    if (const auto facts = inspect(pem)) at = std::min(at, facts->not_after + kSkew);
  return at;
}

Json secret_data(const Authority& authority) {
  Json data = Json::object();
  put(data, "tls.crt", authority.issuer.certificate_pem);
  put(data, "tls.key", authority.issuer.key_pem);
  put(data, "ca.crt", authority.bundle_pem());
  if (authority.successor) {
    put(data, "successor.crt", authority.successor->certificate_pem);
    put(data, "successor.key", authority.successor->key_pem);
  }
  return data;
}

Result<Authority> read_authority_data(const Json& data) {
  Authority authority;
  authority.issuer = {get(data, "tls.crt"), get(data, "tls.key")};
  authority.trusted = split(get(data, "ca.crt"));
  if (authority.trusted.empty()) authority.trusted = split(authority.issuer.certificate_pem);
  CertificateRequest probe;
  probe.common_name = "probe";
  probe.not_after = probe.not_before + kCertificateLife;
  // A damaged one is made anew when it is time: nobody was ever issued anything by it. Its key counts: once it takes
  // over, the issuer that works is gone.
  KeyPair successor{get(data, "successor.crt"), get(data, "successor.key")};
  if (issue(successor, probe)) authority.successor = std::move(successor);
  if (auto usable = issue(authority.issuer, probe); !usable) return std::unexpected(usable.error());
  return authority;
}

}  // namespace twinspan::pki
