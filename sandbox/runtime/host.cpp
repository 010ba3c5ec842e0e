#include "sandbox/runtime/host.hpp"

#include <fmt/format.h>

#include "core/log.hpp"
#include "core/wait.hpp"
#include "sandbox/runtime/claims.hpp"
#include "sandbox/runtime/endpoints.hpp"
#include "sandbox/runtime/files.hpp"
#include "sandbox/runtime/kubelet.hpp"
#include "sandbox/runtime/network.hpp"
#include "sandbox/runtime/proxy.hpp"
#include "sandbox/runtime/stateful_sets.hpp"

namespace twinspan::sandbox {

struct Runtime::Impl {
  Impl(RuntimeOptions given, const Clock& time)
      : options(std::move(given)),
        clock(time),
        client(options.api),
        caches(client),
        events(client, time, "sandbox", options.node),
        kubelet({client, caches, events, clock, options}) {
    if (options.endpoints) {
      endpoints.emplace(client, caches, clock);
      proxy.emplace(caches, clock);
      claims.emplace(client, caches, clock, options.state / "c");
      sets.emplace(client, caches, clock);
    }
  }

  RuntimeOptions options;
  const Clock& clock;
  std::optional<NetworkLane> lane;
  kube::Client client;
  RuntimeCaches caches;
  kube::EventRecorder events;
  Kubelet kubelet;
  std::optional<EndpointsController> endpoints;
  std::optional<ServiceProxy> proxy;
  std::optional<ClaimBinder> claims;
  std::optional<StatefulSets> sets;
  bool started = false;

  std::shared_ptr<Container> container(const kube::Key& pod, const std::string& name) const {
    const auto runner = kubelet.pod(pod);
    return runner ? runner->container(name) : nullptr;
  }
};

Runtime::Runtime(RuntimeOptions options, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), clock)) {}
Runtime::~Runtime() { stop(); }

Status Runtime::start(std::stop_token stop) {
  if (impl_->options.pod_network.empty()) {
    auto lane = NetworkLane::claim();
    if (!lane) return std::unexpected(lane.error());
    impl_->options.pod_network = lane->pod_network();
    impl_->lane.emplace(std::move(*lane));
  }
  if (!std::filesystem::exists(impl_->options.shim))
    return fail(Code::kInvalid, fmt::format("{} is missing: build it, or name it", impl_->options.shim.string()));
  for (const char* folder : {"", "p", "c"})
    if (auto made = make_folder(impl_->options.state / folder, 0755, std::nullopt); !made) return made;
  if (impl_->options.account)
    if (auto placed = place_programs(impl_->options.images, impl_->options.state / "programs"); !placed) return placed;
  impl_->caches.start();
  impl_->started = true;
  while (!impl_->caches.synced())
    if (!wait_for(std::chrono::milliseconds(5), stop))
      return fail(Code::kCancelled, "stopped before the first lists were complete");
  if (impl_->endpoints) {
    impl_->endpoints->start();
    impl_->proxy->start();
    impl_->claims->start();
    impl_->sets->start();
  }
  impl_->kubelet.start();
  log::info("process runtime started",
            {{"node", impl_->options.node}, {"pod_network", impl_->options.pod_network + "0/24"}});
  return {};
}

void Runtime::stop() {
  if (!std::exchange(impl_->started, false)) return;
  impl_->kubelet.stop();
  if (impl_->endpoints) {
    impl_->endpoints->stop();
    impl_->proxy->stop();
    impl_->claims->stop();
    impl_->sets->stop();
  }
  impl_->caches.stop();
}

Result<std::filesystem::path> Runtime::log_file(const kube::Key& pod, const std::string& container,
                                                bool previous) const {
  const auto runner = impl_->kubelet.pod(pod);
  if (!runner) return fail(Code::kNotFound, fmt::format("pod {} does not run here", pod.str()));
  return runner->log_file(container, previous);
}

std::filesystem::path Runtime::volume_folder(const kube::Key& pod, const std::string& volume) const {
  const auto runner = impl_->kubelet.pod(pod);
  return runner ? runner->volume_folder(volume) : std::filesystem::path();
}

bool Runtime::kill(const kube::Key& pod, const std::string& container) {
  const auto found = impl_->container(pod, container);
  if (found) found->kill();
  return found != nullptr;
}
bool Runtime::freeze(const kube::Key& pod, const std::string& container) {
  const auto found = impl_->container(pod, container);
  if (found) found->freeze();
  return found != nullptr;
}
bool Runtime::thaw(const kube::Key& pod, const std::string& container) {
  const auto found = impl_->container(pod, container);
  if (found) found->thaw();
  return found != nullptr;
}
void Runtime::refuse(const std::string& pod_ip, bool refused) {
  if (impl_->proxy) impl_->proxy->refuse(pod_ip, refused);
}

}  // namespace twinspan::sandbox
