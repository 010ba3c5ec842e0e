// AWS Signature Version 4 for S3, as pure functions: "Authenticating Requests (AWS Signature Version 4)" in the Amazon
// S3 API Reference. Bodies are in memory here, so that chunk signing (STREAMING-…) is not needed.
#pragma once
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.hpp"
#include "net/http.hpp"

namespace twinspan::s3 {

inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";  // where TLS protects the body already

using Parameters = std::vector<std::pair<std::string, std::string>>;  // of a query, not encoded
// "a=1&b=": encoded and in the order signatures want.
std::string canonical_query(const Parameters& parameters);
std::string signing_time(WallTime time);  // "20130524T000000Z"

struct ToSign {
  std::string_view method;
  std::string_view path;        // encoded, as sent
  std::string_view query;       // canonical_query(), as sent
  const net::Headers& headers;  // all that the signature shall cover, `host` and every x-amz-* among them, any order
  std::string_view payload;     // the body's SHA-256 in hexadecimal, or kUnsignedPayload
};

// The key that signs one day's requests of one region and service.
class SigningKey {
 public:
  SigningKey(std::string_view secret_access_key, std::string_view day, std::string_view region,
             std::string_view service = "s3");         // day: "20130524"
  const std::string& scope() const { return scope_; }  // "20130524/us-east-1/s3/aws4_request"
  std::string sign(std::string_view text) const;       // hexadecimal

 private:
  std::string scope_, key_;
};

std::string canonical_request(const ToSign& request, std::string& signed_headers);
std::string string_to_sign(std::string_view canonical_request, std::string_view time, std::string_view scope);

// The value of the Authorization header. `time` is that of the x-amz-date header.
std::string authorization(const ToSign& request, std::string_view time, std::string_view access_key_id,
                          const SigningKey& key);

// The query of a URL that carries its own signature; signs the Host header only.
std::string presigned_query(std::string_view method, std::string_view host, std::string_view path,
                            Parameters parameters, std::string_view time, std::chrono::seconds lifetime,
                            std::string_view access_key_id, std::string_view session_token, const SigningKey& key);

}  // namespace twinspan::s3
