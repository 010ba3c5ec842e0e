// Passwords as PostgreSQL keeps them: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, RFC 5803.
#pragma once

#include <string>

namespace twinspan::postgres {

// Whether `password` opens what the verifier guards. False where that can't be told: a password with characters beyond
// ASCII (they are prepared before they are hashed, RFC 4013), another form, more iterations than anybody asks for.
bool is_verifier_of(const std::string& verifier, const std::string& password);

}  // namespace twinspan::postgres
