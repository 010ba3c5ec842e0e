// The key of spec.s3.clientEncryption, as it is mounted.
#pragma once
#include <optional>

#include "worker/s3/route_spec.hpp"

namespace twinspan::worker_s3 {

// Where it lies below --s3-dir. No endpoint's name has this form.
inline constexpr const char* kKeyFile = "client_encryption/key";

// nullptr where the spec names none. Errors are for people, and say nothing of what is in the Secret.
Result<std::shared_ptr<const s3::SealKey>> mounted_key(const RouteSpec& spec, const std::string& s3_dir);

// What copies are sealed with, or what they are opened with on the way back.
void use_key(std::shared_ptr<const s3::SealKey> key, s3::Settings& settings);

// The mounted key is no longer the one that is used: the Secret was changed, or is gone.
bool key_changed(const RouteSpec& spec, const std::string& s3_dir, const s3::Settings& settings);

}  // namespace twinspan::worker_s3
