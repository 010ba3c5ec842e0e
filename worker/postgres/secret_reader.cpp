#include "worker/postgres/secret_reader.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base64.hpp"
#include "engines/postgres/owner.hpp"

namespace twinspan::worker {

Result<std::string> secret_value(const Json& secret, const api::SecretKeyReference& key) {
  const Json& stored = member_of(member_of(secret, "data"), key.key);
  if (!stored.is_string()) return fail(Code::kNotFound, fmt::format("Secret {} has no key {}", key.name, key.key));
  const auto decoded = base64_decode(stored.get<std::string>());
  if (!decoded) return fail(Code::kInvalid, fmt::format("Secret {}, key {}: can't be decoded", key.name, key.key));
  std::string value = postgres::without_line_break(*decoded);
  if (value.empty()) return fail(Code::kInvalid, fmt::format("Secret {}, key {}: is empty", key.name, key.key));
  if (value.find('\0') != std::string::npos)
    return fail(Code::kInvalid, fmt::format("Secret {}, key {}: has a zero byte in it", key.name, key.key));
  return value;
}

Result<std::string> SecretReader::read(const api::SecretKeyReference& key, const std::stop_token& stop) {
  const auto secret = client_.get(kube::kSecrets, {ns_, key.name}, stop);
  if (secret) return secret_value(*secret, key);
  if (secret.error().code == Code::kNotFound)
    return fail(Code::kNotFound, fmt::format("Secret {} does not exist", key.name));
  return std::unexpected(secret.error());
}

}  // namespace twinspan::worker
