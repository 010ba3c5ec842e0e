#include "s3/sign.hpp"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>

#include "core/text.hpp"
#include "s3/digest.hpp"

namespace twinspan::s3 {
namespace {

// Without spaces at its ends, any run of spaces within as one.
void append_trimmed(std::string& out, std::string_view value) {
  const size_t begin = out.size();
  for (const char c : value) {
    if (c == ' ' && (out.size() == begin || out.back() == ' ')) continue;
    out += c;
  }
  if (out.size() > begin && out.back() == ' ') out.pop_back();
}

}  // namespace

std::string canonical_query(const Parameters& parameters) {
  Parameters encoded;
  encoded.reserve(parameters.size());
  for (const auto& [name, value] : parameters)
    encoded.emplace_back(net::percent_encode(name), net::percent_encode(value));
  std::sort(encoded.begin(), encoded.end());
  std::string out;
  for (const auto& [name, value] : encoded) {
    if (!out.empty()) out += '&';
    out.append(name).append("=").append(value);
  }
  return out;
}

std::string signing_time(WallTime time) {
  const time_t seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                     utc.tm_min, utc.tm_sec);
}

SigningKey::SigningKey(std::string_view secret_access_key, std::string_view day, std::string_view region,
                       std::string_view service)
    : scope_(fmt::format("{}/{}/{}/aws4_request", day, region, service)),
      key_(hmac_sha256(
          hmac_sha256(hmac_sha256(hmac_sha256("AWS4" + std::string(secret_access_key), day), region), service),
          "aws4_request")) {}

std::string SigningKey::sign(std::string_view text) const { return to_hex(hmac_sha256(key_, text)); }

std::string canonical_request(const ToSign& request, std::string& signed_headers) {
  std::vector<std::pair<std::string, std::string_view>> headers;
  headers.reserve(request.headers.size());
  for (const auto& [name, value] : request.headers) headers.emplace_back(to_lower(name), value);
  std::sort(headers.begin(), headers.end());
  std::string out;
  out.reserve(1024);
  out.append(request.method).append("\n").append(request.path).append("\n").append(request.query).append("\n");
  signed_headers.clear();
  for (const auto& [name, value] : headers) {
    out.append(name).append(":");
    append_trimmed(out, value);
    out += '\n';
    if (!signed_headers.empty()) signed_headers += ';';
    signed_headers += name;
  }
  out.append("\n").append(signed_headers).append("\n").append(request.payload);
  return out;
}

std::string string_to_sign(std::string_view canonical_request, std::string_view time, std::string_view scope) {
  return fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", time, scope, to_hex(sha256_of(canonical_request)));
}

std::string authorization(const ToSign& request, std::string_view time, std::string_view access_key_id,
                          const SigningKey& key) {
  std::string signed_headers;
  const std::string canonical = canonical_request(request, signed_headers);
  return fmt::format("AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}", access_key_id, key.scope(),
                     signed_headers, key.sign(string_to_sign(canonical, time, key.scope())));
}

std::string presigned_query(std::string_view method, std::string_view host, std::string_view path,
                            Parameters parameters, std::string_view time, std::chrono::seconds lifetime,
                            std::string_view access_key_id, std::string_view session_token, const SigningKey& key) {
  parameters.emplace_back("X-Amz-Algorithm", "AWS4-HMAC-SHA256");
  parameters.emplace_back("X-Amz-Credential", fmt::format("{}/{}", access_key_id, key.scope()));
  parameters.emplace_back("X-Amz-Date", time);
  parameters.emplace_back("X-Amz-Expires", std::to_string(lifetime.count()));
  parameters.emplace_back("X-Amz-SignedHeaders", "host");
  if (!session_token.empty()) parameters.emplace_back("X-Amz-Security-Token", session_token);
  const std::string query = canonical_query(parameters);
  const net::Headers headers{{"host", std::string(host)}};
  std::string signed_headers;
  const std::string canonical = canonical_request({method, path, query, headers, kUnsignedPayload}, signed_headers);
  return query + "&X-Amz-Signature=" + key.sign(string_to_sign(canonical, time, key.scope()));
}

}  // namespace twinspan::s3
