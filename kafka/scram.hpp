// What is said to sign in: SASL PLAIN (RFC 4616) and SCRAM (RFC 5802, RFC 7677), the client's side. SCRAM proves both
// sides: a server that does not know the password is told from one that does.
#pragma once
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "kafka/access.hpp"

namespace twinspan::kafka {

class Authentication {
 public:
  explicit Authentication(const Sasl& sasl, std::string nonce = "");  // empty: a random one
  std::string_view mechanism() const;                                 // Kafka's name of it
  Result<std::string> answer(std::string_view said);                  // what to send next; the server said that
  Status check(std::string_view said);                                // its answer to that
  bool done() const { return done_; }

 private:
  Result<std::string> prove(std::string_view challenge);

  const Sasl& sasl_;
  std::string nonce_, first_, expected_;
  int step_ = 0;
  bool done_ = false;
};

}  // namespace twinspan::kafka
