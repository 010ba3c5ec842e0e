#include "sandbox/runtime/kubelet.hpp"

#include <fmt/format.h>

#include "core/log.hpp"
#include "kube/controller.hpp"

namespace twinspan::sandbox {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::milliseconds kWhileEnding{20};

Json node_object(const std::string& name) {
  return {
      {"apiVersion", "v1"},
      {"kind", "Node"},
      {"metadata", {{"name", name}, {"labels", {{"kubernetes.io/hostname", name}, {"kubernetes.io/os", "linux"}}}}}};
}

Json node_status(const std::string& name, WallTime now) {
  const Json capacity{
      {"cpu", std::to_string(std::max(1U, std::thread::hardware_concurrency()))}, {"memory", "8Gi"}, {"pods", "250"}};
  const Json ready{{"type", "Ready"},
                   {"status", "True"},
                   {"reason", "SandboxReady"},
                   {"message", "processes of this machine"},
                   {"lastHeartbeatTime", to_rfc3339(now)},
                   {"lastTransitionTime", to_rfc3339(now)}};
  return {{"status",
           {{"conditions", Json::array({ready})},
            {"addresses", Json::array({{{"type", "InternalIP"}, {"address", "127.0.0.1"}},
                                       {{"type", "Hostname"}, {"address", name}}})},
            {"capacity", capacity},
            {"allocatable", capacity},
            {"nodeInfo",
             {{"architecture", "amd64"},
              {"bootID", ""},
              {"containerRuntimeVersion", "sandbox://1"},
              {"kernelVersion", ""},
              {"kubeProxyVersion", ""},
              {"kubeletVersion", "v1.34.4-sandbox"},
              {"machineID", ""},
              {"operatingSystem", "linux"},
              {"osImage", "processes of this machine"},
              {"systemUUID", ""}}}}}};
}

}  // namespace

struct Kubelet::Impl {
  explicit Impl(const PodContext& given)
      : context(given),
        controller("sandbox-kubelet", 1, given.clock,
                   [this](const kube::Key& key, const std::stop_token& stop) { return reconcile(key, stop); }) {}

  PodContext context;
  mutable std::mutex mutex;
  std::map<std::string, std::shared_ptr<PodRunner>> runners;  // by uid
  std::map<kube::Key, std::string> newest;                    // uid of the runner that has the name now
  std::set<int> addresses;                                    // in use: the fourth number
  int last_address = 0;
  uint64_t folders = 0;
  kube::Controller controller;

  std::string take_address() {
    for (int tried = 0; tried < 250; ++tried) {
      last_address = last_address % 250 + 1;  // in turn: an address just given up is not handed out again at once
      if (addresses.insert(last_address).second) return context.options.pod_network + std::to_string(last_address);
    }
    return "";
  }
  void give_back(const std::string& address) {
    addresses.erase(std::atoi(address.substr(address.rfind('.') + 1).c_str()));
  }

  // Runners of pods that went are dropped once nothing of them runs. True where one of `key` is still ending.
  bool drop_finished(const kube::Key& key, const std::string& except_uid) {
    std::vector<std::shared_ptr<PodRunner>> dropped;  // destroyed outside the lock: it waits for a thread
    bool ending = false;
    {
      std::lock_guard lock(mutex);
      for (auto runner = runners.begin(); runner != runners.end();) {
        const bool same_name = newest.contains(key) && newest[key] == runner->first;
        if (runner->first != except_uid && runner->second->finished()) {
          give_back(runner->second->pod_ip());
          std::erase_if(newest, [&](const auto& entry) { return entry.second == runner->first; });
          dropped.push_back(std::move(runner->second));
          runner = runners.erase(runner);
          continue;
        }
        ending = ending || (same_name && runner->first != except_uid);
        ++runner;
      }
    }
    return ending;
  }

  Status bind(const kube::Key& key) {
    const Json binding{{"apiVersion", "v1"},
                       {"kind", "Binding"},
                       {"metadata", {{"name", key.name}, {"namespace", key.ns}}},
                       {"target", {{"apiVersion", "v1"}, {"kind", "Node"}, {"name", context.options.node}}}};
    auto bound =
        context.client.raw("POST", fmt::format("/api/v1/namespaces/{}/pods/{}/binding", key.ns, key.name), binding);
    if (bound) return {};
    return std::unexpected(bound.error());
  }

  Result<kube::Requeue> reconcile(const kube::Key& key, const std::stop_token&) {
    const auto pod = context.caches.pods.find(key);
    const std::string uid = pod ? pod->at("metadata").at("uid").get<std::string>() : "";
    std::shared_ptr<PodRunner> other, own;
    {
      std::lock_guard lock(mutex);
      const auto named = newest.find(key);
      if (named != newest.end()) (named->second == uid ? own : other) = runners.at(named->second);
    }
    if (other) other->gone();
    const bool ending = drop_finished(key, pod ? uid : "");
    if (ending) return kube::Requeue::after(kWhileEnding);
    if (!pod) return kube::Requeue::none();
    if (own) {
      own->update(pod);
      return kube::Requeue::none();
    }
    const Json& spec = pod->at("spec");
    const std::string node = spec.value("nodeName", "");
    if (node.empty()) {
      if (auto bound = bind(key); !bound) return std::unexpected(bound.error());
      return kube::Requeue::none();  // the watch brings it back with its node
    }
    const std::string phase = pod->value("status", Json::object()).value("phase", "");
    if (node != context.options.node || phase == "Succeeded" || phase == "Failed") return kube::Requeue::none();
    std::lock_guard lock(mutex);
    const std::string address = take_address();
    if (address.empty()) return fail(Code::kUnavailable, "all of the node's 250 pod addresses are in use");
    const fs::path folder = context.options.state / "p" / std::to_string(++folders);
    runners[uid] = std::make_shared<PodRunner>(context, pod, address, folder);
    newest[key] = uid;
    return kube::Requeue::none();
  }

  void poke_all() {
    std::lock_guard lock(mutex);
    for (const auto& [uid, runner] : runners) runner->poke();
  }
};

Kubelet::Kubelet(const PodContext& context) : impl_(std::make_unique<Impl>(context)) {
  context.caches.pods.add_handler(
      [impl = impl_.get()](const kube::Key& key, const auto&, const auto&) { impl->controller.queue().add(key); });
  const auto poke = [impl = impl_.get()](const kube::Key&, const auto&, const auto&) { impl->poke_all(); };
  context.caches.secrets.add_handler(poke);
  context.caches.config_maps.add_handler(poke);
  context.caches.claims.add_handler(poke);
}

Kubelet::~Kubelet() { stop(); }

void Kubelet::start() {
  const RuntimeOptions& options = impl_->context.options;
  auto made = impl_->context.client.create(kube::kNodes, node_object(options.node));
  if (!made && made.error().code != Code::kAlreadyExists)
    log::warn("node object could not be made", {{"error", made.error().message}});
  (void)impl_->context.client.merge_patch(kube::kNodes, {"", options.node},
                                          node_status(options.node, impl_->context.clock.wall_now()),
                                          kube::Subresource::kStatus);
  impl_->controller.start();
}

void Kubelet::stop() {
  impl_->controller.stop();
  std::map<std::string, std::shared_ptr<PodRunner>> runners;
  {
    std::lock_guard lock(impl_->mutex);
    runners.swap(impl_->runners);
    impl_->newest.clear();
  }
  for (const auto& [uid, runner] : runners) runner->gone();  // all at once, then waited for one by one
}

std::shared_ptr<PodRunner> Kubelet::pod(const kube::Key& key) const {
  std::lock_guard lock(impl_->mutex);
  const auto named = impl_->newest.find(key);
  return named == impl_->newest.end() ? nullptr : impl_->runners.at(named->second);
}

}  // namespace twinspan::sandbox
