// Whether a request is signed as Signature Version 4 wants it. Stricter than real servers: every x-amz-* header,
// Content-Type and Content-MD5 must be covered, paths be encoded canonically, and bodies be signed where TLS is off.
#pragma once
#include <map>
#include <mutex>
#include <string>

#include "net/http.hpp"
#include "s3/client.hpp"
#include "s3/sign.hpp"

namespace twinspan::s3_stub {

struct Denial {
  int status = 403;
  std::string code, message;
};

class Access {
 public:
  Access(s3::Credentials credentials, bool tls) : credentials_(std::move(credentials)), tls_(tls) {}
  void replace(s3::Credentials credentials);
  // nullopt: it is good.
  std::optional<Denial> check(const net::IncomingRequest& request, WallTime now);

 private:
  std::optional<Denial> check_header(const net::IncomingRequest& request, WallTime now);
  std::optional<Denial> check_query(const net::IncomingRequest& request, WallTime now);
  std::optional<Denial> check_key(const std::string& scope, const std::string& token, std::string& access_key_id,
                                  std::shared_ptr<const s3::SigningKey>& key);

  std::mutex mutex_;
  s3::Credentials credentials_;
  const bool tls_;
  std::map<std::string, std::shared_ptr<const s3::SigningKey>> keys_;  // by scope
};

std::optional<WallTime> parse_signing_time(const std::string& text);

}  // namespace twinspan::s3_stub
