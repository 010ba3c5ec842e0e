// Passwords of declared roles, and what opens a repository of backups, read from Secrets by name: the worker's Role
// names each (controllers/link/render.hpp).
#pragma once
#include <stop_token>
#include <string>

#include "api/types.hpp"
#include "core/result.hpp"
#include "kube/client.hpp"

namespace twinspan::worker {

class SecretSource {
 public:
  virtual ~SecretSource() = default;
  // kNotFound, kInvalid: the Secret is not there, or its key is not, or not as it should be. Anything else is no
  // answer.
  virtual Result<std::string> read(const api::SecretKeyReference& key, const std::stop_token& stop) = 0;
};

class SecretReader final : public SecretSource {
 public:
  SecretReader(kube::Client& client, std::string ns) : client_(client), ns_(std::move(ns)) {}
  Result<std::string> read(const api::SecretKeyReference& key, const std::stop_token& stop) override;

 private:
  kube::Client& client_;
  const std::string ns_;
};

// The value of a Secret's key, without the line break that people's tools leave. Pure.
Result<std::string> secret_value(const Json& secret, const api::SecretKeyReference& key);

}  // namespace twinspan::worker
