#include "sandbox/runtime/stateful_sets.hpp"

#include <fmt/format.h>

#include <charconv>

#include "kube/controller.hpp"

namespace twinspan::sandbox {
namespace {

constexpr const char* kRevisionLabel = "controller-revision-hash";

// The set that controls a pod; empty: none does.
std::string controller_of(const Json& pod) {
  for (const Json& owner : member_of(member_of(pod, "metadata"), "ownerReferences"))
    if (text_of(owner, "kind") == "StatefulSet" && owner.value("controller", false)) return text_of(owner, "name");
  return {};
}

// Of "NAME-3": 3.
std::optional<int64_t> ordinal_of(const std::string& pod, const std::string& set) {
  int64_t ordinal = 0;
  if (!pod.starts_with(set + "-")) return std::nullopt;
  const char *begin = pod.data() + set.size() + 1, *end = pod.data() + pod.size();
  const auto [rest, error] = std::from_chars(begin, end, ordinal);
  return error == std::errc() && rest == end ? std::optional(ordinal) : std::nullopt;
}

bool is_ready(const Json& pod) {
  for (const Json& one : member_of(member_of(pod, "status"), "conditions"))
    if (text_of(one, "type") == "Ready") return text_of(one, "status") == "True";
  return false;
}

bool is_terminating(const Json& object) {
  return member_of(member_of(object, "metadata"), "deletionTimestamp").is_string();
}

bool is_over(const Json& pod) {
  const std::string phase = text_of(member_of(pod, "status"), "phase");
  return phase == "Failed" || phase == "Succeeded";
}

std::string revision_of(const Json& set) {
  return fmt::format("{}-{:x}", text_of(set.at("metadata"), "name"),
                     std::hash<std::string>()(set.at("spec").at("template").dump()));
}

std::string revision_label(const Json& pod) {
  return text_of(member_of(member_of(pod, "metadata"), "labels"), kRevisionLabel);
}

Json render_pod(const Json& set, int64_t ordinal, const std::string& revision) {
  const Json &meta = set.at("metadata"), &pattern = set.at("spec").at("template");
  const std::string name = fmt::format("{}-{}", text_of(meta, "name"), ordinal);
  Json pod = {{"apiVersion", "v1"},
              {"kind", "Pod"},
              {"metadata", pattern.value("metadata", Json::object())},
              {"spec", pattern.at("spec")}};
  pod["metadata"]["name"] = name;
  pod["metadata"]["namespace"] = meta.at("namespace");
  Json& labels = pod["metadata"]["labels"];
  labels[kRevisionLabel] = revision;
  labels["statefulset.kubernetes.io/pod-name"] = name;
  labels["apps.kubernetes.io/pod-index"] = std::to_string(ordinal);
  pod["metadata"]["ownerReferences"] = Json::array({{{"apiVersion", "apps/v1"},
                                                     {"kind", "StatefulSet"},
                                                     {"name", meta.at("name")},
                                                     {"uid", meta.at("uid")},
                                                     {"controller", true},
                                                     {"blockOwnerDeletion", true}}});
  pod["spec"]["hostname"] = name;
  if (const std::string subdomain = text_of(set.at("spec"), "serviceName"); !subdomain.empty())
    pod["spec"]["subdomain"] = subdomain;
  return pod;
}

}  // namespace

struct StatefulSets::Impl {
  Impl(kube::Client& given, RuntimeCaches& cache, const Clock& clock)
      : client(given),
        caches(cache),
        controller("sandbox-statefulsets", 1, clock,
                   [this](const kube::Key& key, const std::stop_token&) { return reconcile(key); }) {}

  using Pods = std::map<int64_t, std::shared_ptr<const Json>>;

  kube::Client& client;
  RuntimeCaches& caches;
  kube::Controller controller;

  Pods pods_of(const kube::Key& key) const {
    Pods pods;
    for (const auto& [pod_key, pod] : caches.pods.all())
      if (pod_key.ns == key.ns && controller_of(*pod) == key.name)
        if (const auto ordinal = ordinal_of(pod_key.name, key.name)) pods[*ordinal] = pod;
    return pods;
  }

  Status remove(const kube::Key& set, int64_t ordinal, const Json& pod) {
    if (is_terminating(pod)) return {};
    kube::DeleteOptions options;
    options.uid = text_of(pod.at("metadata"), "uid");
    const auto removed = client.remove(kube::kPods, {set.ns, fmt::format("{}-{}", set.name, ordinal)}, options);
    return removed || removed.error().code == Code::kNotFound ? Status{} : removed;
  }

  // Missing ordinals are made, those too many go, those that ended are made anew.
  Status fill(const kube::Key& key, const Json& set, const Pods& pods, const std::string& revision) {
    const int64_t replicas = integer_of(set.at("spec"), "replicas");
    for (int64_t ordinal = 0; ordinal < replicas; ++ordinal) {
      if (pods.contains(ordinal)) continue;
      const auto made = client.create(kube::kPods, render_pod(set, ordinal, revision));
      if (!made && made.error().code != Code::kAlreadyExists) return std::unexpected(made.error());
      if (made) caches.pods.wrote(*made);
    }
    for (const auto& [ordinal, pod] : pods)
      if (ordinal >= replicas || is_over(*pod))
        if (auto removed = remove(key, ordinal, *pod); !removed) return removed;
    return {};
  }

  // The highest ordinal whose template is old goes, once every other pod is there and ready.
  Status roll(const kube::Key& key, const Pods& pods, const std::string& revision) {
    for (auto at = pods.rbegin(); at != pods.rend(); ++at) {
      const auto& [ordinal, pod] = *at;
      if (revision_label(*pod) != revision) return remove(key, ordinal, *pod);
      if (is_terminating(*pod) || !is_ready(*pod)) return {};
    }
    return {};
  }

  Status write_status(const kube::Key& key, const Json& set, const Pods& pods, const std::string& revision) {
    int64_t ready = 0, updated = 0;
    for (const auto& [ordinal, pod] : pods) {
      ready += is_ready(*pod) && !is_terminating(*pod);
      updated += revision_label(*pod) == revision;
    }
    const bool rolled = updated == static_cast<int64_t>(pods.size());
    const Json& before = member_of(set, "status");
    const std::string current = text_of(before, "currentRevision");
    const Json status = {{"observedGeneration", integer_of(set.at("metadata"), "generation")},
                         {"replicas", pods.size()},
                         {"readyReplicas", ready},
                         {"availableReplicas", ready},
                         {"updatedReplicas", updated},
                         {"currentReplicas", rolled ? updated : static_cast<int64_t>(pods.size()) - updated},
                         {"currentRevision", rolled || current.empty() ? revision : current},
                         {"updateRevision", revision},
                         {"collisionCount", 0}};
    if (before == status) return {};
    const auto written = client.merge_patch(kube::kStatefulSets, key, {{"status", status}}, kube::Subresource::kStatus);
    if (!written) return written.error().code == Code::kNotFound ? Status{} : std::unexpected(written.error());
    caches.sets.wrote(*written);
    return {};
  }

  Result<kube::Requeue> reconcile(const kube::Key& key) {
    const auto set = caches.sets.find(key);
    if (!set || is_terminating(*set)) return kube::Requeue::none();  // its pods are the collector's
    const std::string revision = revision_of(*set);
    const Pods pods = pods_of(key);
    for (const Status& done :
         {fill(key, *set, pods, revision), roll(key, pods, revision), write_status(key, *set, pods, revision)})
      if (!done) return std::unexpected(done.error());
    return kube::Requeue::none();
  }
};

StatefulSets::StatefulSets(kube::Client& client, RuntimeCaches& caches, const Clock& clock)
    : impl_(std::make_unique<Impl>(client, caches, clock)) {
  caches.sets.add_handler(
      [impl = impl_.get()](const kube::Key& key, const auto&, const auto&) { impl->controller.queue().add(key); });
  caches.pods.add_handler([impl = impl_.get()](const kube::Key& key, const auto& before, const auto& after) {
    if (const std::string set = controller_of(after ? *after : *before); !set.empty())
      impl->controller.queue().add({key.ns, set});
  });
}

StatefulSets::~StatefulSets() = default;
void StatefulSets::start() { impl_->controller.start(); }
void StatefulSets::stop() { impl_->controller.stop(); }

}  // namespace twinspan::sandbox
