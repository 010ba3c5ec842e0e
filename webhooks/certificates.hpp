// What the operator's TLS servers show, and what their clients trust them by. Pure but for randomness.
#pragma once
#include <string>

#include "core/json.hpp"
#include "core/result.hpp"
#include "net/http.hpp"
#include "pki/authority.hpp"

namespace twinspan::webhooks {

// For what clients call the Service, and localhost. Valid for 90 days.
Result<net::TlsIdentity> serving_certificate(const pki::Authority& authority, const std::string& whose,
                                             const std::string& service, const std::string& ns, WallTime now);
// Whether `identity` should be replaced: another authority issues by now, two thirds of its life are over, or it was
// never made.
bool is_due(const net::TlsIdentity& identity, const pki::Authority& authority, WallTime now);

// The webhook configuration with `bundle_pem` in each of its webhooks; null where all have it already.
Json with_bundle(const Json& configuration, const std::string& bundle_pem);
// The ConfigMap with `bundle_pem` as its ca.crt; null where it has it already.
Json with_ca(const Json& config_map, const std::string& bundle_pem);

}  // namespace twinspan::webhooks
