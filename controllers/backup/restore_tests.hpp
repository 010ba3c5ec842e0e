// The pods that test restores, one of a link at a time: looked for, made and removed. What is to happen is decided
// elsewhere (test_decide.hpp).
#pragma once
#include <optional>
#include <stop_token>

#include "controllers/backup/test_decide.hpp"
#include "controllers/link/render.hpp"
#include "kube/client.hpp"

namespace twinspan::controllers {

class RestoreTests {
 public:
  RestoreTests(kube::Client& client, RenderConfig config) : client_(client), config_(std::move(config)) {}

  Result<std::optional<TestPod>> see(const kube::Key& link, const std::stop_token& stop);
  // What guards it comes before it. One that is there already is left alone.
  Status make(const api::ReplicationLink& link, const api::BackupSchedule& schedule, const std::stop_token& stop);
  // Its volume goes with it.
  Status remove(const kube::Key& link, const std::stop_token& stop);

 private:
  kube::Client& client_;
  const RenderConfig config_;
};

}  // namespace twinspan::controllers
