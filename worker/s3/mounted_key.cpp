#include "worker/s3/mounted_key.hpp"

#include <fmt/format.h>

#include "core/file.hpp"

namespace twinspan::worker_s3 {

Result<std::shared_ptr<const s3::SealKey>> mounted_key(const RouteSpec& spec, const std::string& s3_dir) {
  if (!spec.settings.client_encryption) return nullptr;
  const api::SecretKeyReference& ref = spec.settings.client_encryption->key_secret_ref;
  const auto text = read_file(s3_dir + "/" + kKeyFile);
  if (!text) return fail(Code::kNotFound, fmt::format("Secret {} does not exist, or has no key {}", ref.name, ref.key));
  auto key = s3::SealKey::parse(*text);
  if (!key) return fail(Code::kInvalid, fmt::format("Secret {}: {} {}", ref.name, ref.key, key.error().message));
  return key;
}

void use_key(std::shared_ptr<const s3::SealKey> key, s3::Settings& settings) {
  (settings.restore ? settings.restore_key : settings.stored.key) = std::move(key);
}

bool key_changed(const RouteSpec& spec, const std::string& s3_dir, const s3::Settings& settings) {
  const auto& used = settings.restore ? settings.restore_key : settings.stored.key;
  const auto mounted = mounted_key(spec, s3_dir);
  if (!mounted) return true;
  return (*mounted ? (*mounted)->id() : "") != (used ? used->id() : "");
}

}  // namespace twinspan::worker_s3
