// Who we are to the API server, now: tokens rotate and plugins' credentials expire.
#pragma once
#include <chrono>
#include <stop_token>
#include <string>

#include "core/guarded.hpp"
#include "core/result.hpp"
#include "kube/config.hpp"

namespace twinspan::kube {

struct Credential {
  std::string token;  // empty: none
  std::string certificate_pem, key_pem;
};

// Any thread may call it; one at a time runs the plugin or reads the file, the others wait for it.
class CredentialSource {
 public:
  explicit CredentialSource(const Config& config) : config_(config) {}
  Result<Credential> current(const std::stop_token& stop);
  // The API server answered 401 to `used`: the next call reads or runs again. False where nothing else can come of it.
  bool rejected(const Credential& used);

 private:
  using Clock = std::chrono::steady_clock;
  Status read_token_file() REQUIRES(mutex_);
  Status run_plugin(const std::stop_token& stop) REQUIRES(mutex_);

  const Config& config_;
  Mutex mutex_;
  Credential last_ GUARDED_BY(mutex_);
  bool known_ GUARDED_BY(mutex_) = false;
  Clock::time_point read_again_ GUARDED_BY(mutex_){};  // token file
  std::chrono::system_clock::time_point expires_ GUARDED_BY(mutex_) =
      std::chrono::system_clock::time_point::max();  // plugin
};

}  // namespace twinspan::kube
