// Leader election over a Lease, as client-go does it: expiry by local observation, jitter 1.2, release on exit.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "core/clock.hpp"
#include "kube/client.hpp"

namespace twinspan::kube {

struct ElectionConfig {
  Key lease;
  std::string identity;
  std::chrono::milliseconds duration{15000}, renew_deadline{10000}, retry{2000};
};

class Election {
 public:
  Election(Client& client, const Clock& clock, ElectionConfig config);
  ~Election();
  // Blocks until elected (true) or stopped (false).
  bool acquire(std::stop_token stop);
  // Renews until it is lost (returns) or stopped (releases, returns). The caller ends the process when it is lost.
  void hold(std::stop_token stop);
  bool is_leader() const;
  std::string leader() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::kube
