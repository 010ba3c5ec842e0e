// How a cluster is reached, and as whom.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "net/http.hpp"

namespace twinspan::kafka {

struct Address {
  std::string host;
  int port = 0;
  bool operator==(const Address&) const = default;
};
// "HOST:PORT", an IPv6 address in brackets. kInvalid names what was given.
Result<Address> parse_address(std::string_view text);

enum class SaslMechanism { kPlain, kScramSha256, kScramSha512 };
struct Sasl {
  SaslMechanism mechanism = SaslMechanism::kScramSha512;
  std::string user, password;
};

struct Access {
  std::vector<Address> brokers;  // any of the cluster's, the others are learned from it
  std::optional<net::ClientTls> tls{};
  std::optional<Sasl> sasl{};
  std::string client_id = "twinspan";
  std::chrono::milliseconds patience{5000};          // for connecting and signing in
  std::chrono::milliseconds answer_patience{35000};  // for the answer of a call
};

}  // namespace twinspan::kafka
