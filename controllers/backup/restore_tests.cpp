#include "controllers/backup/restore_tests.hpp"

#include <nlohmann/json.hpp>

#include "contract/restore_test.hpp"
#include "controllers/backup/test_render.hpp"
#include "controllers/cluster/names.hpp"
#include "core/log.hpp"

namespace twinspan::controllers {

Result<std::optional<TestPod>> RestoreTests::see(const kube::Key& link, const std::stop_token& stop) {
  const auto there = client_.get(kube::kPods, {link.ns, restore_test_name(link.name)}, stop);
  if (there) return test_pod_of(*there);
  if (there.error().code == Code::kNotFound) return std::nullopt;
  return std::unexpected(there.error());
}

Status RestoreTests::make(const api::ReplicationLink& link, const api::BackupSchedule& schedule,
                          const std::stop_token& stop) {
  const auto pod = render_test_pod(link, schedule, config_);
  if (!pod) return std::unexpected(pod.error());
  if (config_.network)
    if (auto guarded = client_.apply(kube::kNetworkPolicies, render_test_policy(link), kFieldManager,
                                     kube::Subresource::kNone, stop);
        !guarded)
      return std::unexpected(guarded.error());
  const auto created = client_.create(kube::kPods, *pod, stop, kFieldManager);
  if (!created && created.error().code != Code::kAlreadyExists) return std::unexpected(created.error());
  if (created) log::info("a restore is tested", {{"link", link.metadata.name}, {"namespace", link.metadata.ns}});
  return {};
}

Status RestoreTests::remove(const kube::Key& link, const std::stop_token& stop) {
  const auto gone = client_.remove(kube::kPods, {link.ns, restore_test_name(link.name)}, {}, stop);
  if (!gone && gone.error().code != Code::kNotFound) return gone;
  return {};
}

}  // namespace twinspan::controllers
