#include "sandbox/s3/access.hpp"

#include <fmt/format.h>

#include "core/text.hpp"
#include "s3/digest.hpp"
#include "s3/uri.hpp"

namespace twinspan::s3_stub {
namespace {

constexpr std::chrono::minutes kSkewMost{15};

std::string between(std::string_view text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  if (at == text.npos) return "";
  const size_t begin = at + from.size();
  return std::string(text.substr(begin, std::min(text.find(to, begin), text.size()) - begin));
}

std::string query_value(const net::IncomingRequest& request, const char* name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? "" : found->second;
}

std::string path_of(const net::IncomingRequest& request) { return request.target.substr(0, request.target.find('?')); }

s3::Parameters parameters_of(const net::IncomingRequest& request) {
  return {request.query.begin(), request.query.end()};
}

Denial denial(int status, const char* code, std::string message) { return {status, code, std::move(message)}; }

}  // namespace

std::optional<WallTime> parse_signing_time(const std::string& text) {
  if (text.size() != 16) return std::nullopt;
  const auto time =
      parse_rfc3339(fmt::format("{}-{}-{}T{}:{}:{}Z", text.substr(0, 4), text.substr(4, 2), text.substr(6, 2),
                                text.substr(9, 2), text.substr(11, 2), text.substr(13, 2)));
  return time ? std::optional(*time) : std::nullopt;
}

void Access::replace(s3::Credentials credentials) {
  std::lock_guard lock(mutex_);
  credentials_ = std::move(credentials);
  keys_.clear();
}

std::optional<Denial> Access::check(const net::IncomingRequest& request, WallTime now) {
  const std::string path = path_of(request);
  if (s3::encode_key(request.path) != path)
    return denial(400, "InvalidURI", "the path is not encoded canonically: " + path);
  return request.query.contains("X-Amz-Signature") ? check_query(request, now) : check_header(request, now);
}

std::optional<Denial> Access::check_key(const std::string& credential, const std::string& token,
                                        std::string& access_key_id, std::shared_ptr<const s3::SigningKey>& key) {
  const size_t slash = credential.find('/');
  access_key_id = credential.substr(0, slash);
  const std::string scope = slash == std::string::npos ? "" : credential.substr(slash + 1);
  std::lock_guard lock(mutex_);
  if (access_key_id != credentials_.access_key_id)
    return denial(403, "InvalidAccessKeyId", "The access key ID does not exist");
  if (token != credentials_.session_token) return denial(400, "InvalidToken", "The session token is another");
  auto& known = keys_[scope];
  if (!known) {
    const size_t day = scope.find('/'), region = scope.find('/', day + 1);
    if (day != 8 || region == std::string::npos || scope.substr(region) != "/s3/aws4_request")
      return denial(400, "AuthorizationHeaderMalformed", "scope " + scope);
    known = std::make_shared<s3::SigningKey>(credentials_.secret_access_key, scope.substr(0, day),
                                             scope.substr(day + 1, region - day - 1));
  }
  key = known;
  return std::nullopt;
}

std::optional<Denial> Access::check_header(const net::IncomingRequest& request, WallTime now) {
  const std::string header = request.header("Authorization");
  if (header.empty()) return denial(403, "AccessDenied", "no signature");
  if (!header.starts_with("AWS4-HMAC-SHA256 ")) return denial(400, "AuthorizationHeaderMalformed", "algorithm");
  std::shared_ptr<const s3::SigningKey> key;
  std::string access_key_id;
  if (auto bad =
          check_key(between(header, "Credential=", ","), request.header("x-amz-security-token"), access_key_id, key))
    return bad;
  const std::string time = request.header("x-amz-date");
  const auto signed_at = parse_signing_time(time);
  if (!signed_at || !key->scope().starts_with(time.substr(0, 8)))
    return denial(403, "AccessDenied", "x-amz-date is missing or of another day than the scope");
  if (std::chrono::abs(*signed_at - now) > kSkewMost)
    return denial(403, "RequestTimeTooSkewed", "The difference between the request time and the server's is too large");
  const std::string payload = request.header("x-amz-content-sha256");
  if (payload != s3::kUnsignedPayload && payload != s3::to_hex(s3::sha256_of(request.body)))
    return denial(400, "XAmzContentSHA256Mismatch", "The body's digest is another");
  if (payload == s3::kUnsignedPayload && !tls_) return denial(400, "InvalidRequest", "unsigned body without TLS");

  const std::string names = ";" + between(header, "SignedHeaders=", ",") + ";";
  net::Headers covered;
  for (const auto& [name, value] : request.headers) {
    const std::string small = to_lower(name);
    if (names.find(";" + small + ";") != std::string::npos)
      covered.emplace_back(small, value);
    else if (small.starts_with("x-amz-") || small == "host" || small == "content-type" || small == "content-md5")
      return denial(403, "AccessDenied", "header not signed: " + small);
  }
  const std::string query = s3::canonical_query(parameters_of(request)), path = path_of(request);
  std::string signed_names;
  const std::string canonical = s3::canonical_request({request.method, path, query, covered, payload}, signed_names);
  if (";" + signed_names + ";" != names) return denial(403, "SignatureDoesNotMatch", "a signed header is absent");
  if (key->sign(s3::string_to_sign(canonical, time, key->scope())) != between(header, "Signature=", ","))
    return denial(403, "SignatureDoesNotMatch", "The signature is another; canonical request: " + canonical);
  return std::nullopt;
}

std::optional<Denial> Access::check_query(const net::IncomingRequest& request, WallTime now) {
  std::shared_ptr<const s3::SigningKey> key;
  std::string access_key_id;
  const std::string token = query_value(request, "X-Amz-Security-Token");
  if (auto bad = check_key(query_value(request, "X-Amz-Credential"), token, access_key_id, key)) return bad;
  const std::string time = query_value(request, "X-Amz-Date");
  const auto signed_at = parse_signing_time(time);
  const int lifetime = std::atoi(query_value(request, "X-Amz-Expires").c_str());
  if (!signed_at || lifetime <= 0 || lifetime > 604800) return denial(400, "AuthorizationQueryParametersError", "time");
  if (now > *signed_at + std::chrono::seconds(lifetime)) return denial(403, "AccessDenied", "Request has expired");
  s3::Parameters rest;
  for (const auto& [name, value] : request.query)
    if (!name.starts_with("X-Amz-")) rest.emplace_back(name, value);
  const std::string expected = s3::presigned_query(request.method, request.header("Host"), path_of(request), rest, time,
                                                   std::chrono::seconds(lifetime), access_key_id, token, *key);
  if (!expected.ends_with(query_value(request, "X-Amz-Signature")))
    return denial(403, "SignatureDoesNotMatch", "The signature of the URL is another");
  return std::nullopt;
}

}  // namespace twinspan::s3_stub
