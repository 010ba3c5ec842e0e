#include "sandbox/runtime/claims.hpp"

#include <fmt/format.h>

#include "core/log.hpp"
#include "kube/controller.hpp"

namespace twinspan::sandbox {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::milliseconds kWhileUsed{500};

bool uses(const Json& pod, const std::string& claim) {
  for (const Json& volume : pod.at("spec").value("volumes", Json::array()))
    if (volume.contains("persistentVolumeClaim") && volume["persistentVolumeClaim"].value("claimName", "") == claim)
      return true;
  return false;
}

}  // namespace

struct ClaimBinder::Impl {
  Impl(kube::Client& given, RuntimeCaches& cache, const Clock& clock, fs::path where)
      : client(given),
        caches(cache),
        folder(std::move(where)),
        controller("sandbox-claims", 1, clock,
                   [this](const kube::Key& key, const std::stop_token&) { return reconcile(key); }) {}

  kube::Client& client;
  RuntimeCaches& caches;
  fs::path folder;
  std::mutex mutex;
  std::map<kube::Key, std::set<std::string>> gone;  // uids of deleted claims whose folders are to go
  kube::Controller controller;

  // The folder of a deleted claim goes once no pod that mounts a claim of that name is left.
  bool remove_folders(const kube::Key& key) {
    for (const auto& [pod_key, pod] : caches.pods.all())
      if (pod_key.ns == key.ns && uses(*pod, key.name)) return false;
    std::lock_guard lock(mutex);
    for (const std::string& uid : gone[key]) {
      std::error_code ignored;
      fs::remove_all(folder / uid.substr(0, 13), ignored);
    }
    gone.erase(key);
    return true;
  }

  Result<kube::Requeue> reconcile(const kube::Key& key) {
    bool owed = false;
    {
      std::lock_guard lock(mutex);
      owed = gone.contains(key);
    }
    const bool removed = !owed || remove_folders(key);
    const auto claim = caches.claims.find(key);
    if (claim && claim->value("status", Json::object()).value("phase", "") != "Bound") {
      const std::string uid = claim->at("metadata").at("uid").get<std::string>();
      const Json& spec = claim->at("spec");
      if (spec.value("volumeName", "").empty())
        if (auto named =
                client.merge_patch(kube::kPersistentVolumeClaims, key, {{"spec", {{"volumeName", "pvc-" + uid}}}});
            !named)
          return std::unexpected(named.error());
      const Json status{{"phase", "Bound"},
                        {"accessModes", spec.value("accessModes", Json::array())},
                        {"capacity", spec.value("resources", Json::object()).value("requests", Json::object())}};
      auto bound =
          client.merge_patch(kube::kPersistentVolumeClaims, key, {{"status", status}}, kube::Subresource::kStatus);
      if (!bound) return std::unexpected(bound.error());
      caches.claims.wrote(*bound);
    }
    return removed ? kube::Requeue::none() : kube::Requeue::after(kWhileUsed);
  }
};

ClaimBinder::ClaimBinder(kube::Client& client, RuntimeCaches& caches, const Clock& clock, fs::path folder)
    : impl_(std::make_unique<Impl>(client, caches, clock, std::move(folder))) {
  caches.claims.add_handler([impl = impl_.get()](const kube::Key& key, const auto& before, const auto& after) {
    const auto uid = [](const auto& claim) {
      return claim ? claim->at("metadata").at("uid").template get<std::string>() : std::string();
    };
    if (before && uid(before) != uid(after)) {
      std::lock_guard lock(impl->mutex);
      impl->gone[key].insert(uid(before));
    }
    impl->controller.queue().add(key);
  });
}

ClaimBinder::~ClaimBinder() = default;
void ClaimBinder::start() { impl_->controller.start(); }
void ClaimBinder::stop() { impl_->controller.stop(); }

}  // namespace twinspan::sandbox
