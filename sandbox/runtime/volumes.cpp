#include "sandbox/runtime/volumes.hpp"

#include <fmt/format.h>

#include "core/base64.hpp"

namespace twinspan::sandbox {
namespace {

namespace fs = std::filesystem;
using Values = std::map<std::string, std::string>;

// Keys as `items` says, or all of them under their own names.
Status add_values(const Values& values, const Json& source, mode_t mode, const std::string& what, VolumeFiles& files) {
  if (!source.contains("items")) {
    for (const auto& [key, value] : values) files[key] = {value, mode};
    return {};
  }
  for (const Json& item : source["items"]) {
    const auto found = values.find(item.value("key", ""));
    if (found != values.end())
      files[item.value("path", "")] = {found->second, mode};
    else if (!source.value("optional", false))
      return fail(Code::kUnavailable, fmt::format("{} has no key {}", what, item.value("key", "")));
  }
  return {};
}

Status add_downward(const Json& pod, const PodPlace& place, const Json& source, VolumeFiles& files) {
  for (const Json& item : source.value("items", Json::array())) {
    auto value = field_value(pod, place, item.value("fieldRef", Json::object()).value("fieldPath", ""));
    if (!value) return std::unexpected(value.error());
    files[item.value("path", "")] = {*value, 0644};
  }
  return {};
}

}  // namespace

Values secret_values(const Json& secret) {
  Values out;
  const Json data = secret.value("data", Json::object());
  for (const auto& [key, value] : data.items()) out[key] = base64_decode(value.get<std::string>()).value_or("");
  return out;
}

Values config_map_values(const Json& config_map) {
  Values out;
  const Json data = config_map.value("data", Json::object()), binary = config_map.value("binaryData", Json::object());
  for (const auto& [key, value] : data.items()) out[key] = value.get<std::string>();
  for (const auto& [key, value] : binary.items()) out[key] = base64_decode(value.get<std::string>()).value_or("");
  return out;
}

Volumes::Volumes(VolumeSources sources, const Clock& clock, PodPlace place, fs::path pod_folder, fs::path claims_folder,
                 std::optional<Account> account)
    : sources_(std::move(sources)),
      clock_(clock),
      place_(std::move(place)),
      pod_folder_(std::move(pod_folder)),
      claims_folder_(std::move(claims_folder)),
      account_(std::move(account)) {}

Status Volumes::sync(const Json& pod) {
  Status all{};
  for (const Json& volume : pod.at("spec").value("volumes", Json::array()))
    if (auto done = sync_volume(pod, volume); !done && all) all = std::unexpected(done.error());
  return all;
}

Status Volumes::sync_volume(const Json& pod, const Json& volume) {
  const std::string name = volume.value("name", "");
  if (volume.contains("persistentVolumeClaim")) {
    if (folders_.contains(name)) return {};  // kept while the pod lives, whatever becomes of the claim
    const std::string claim_name = volume["persistentVolumeClaim"].value("claimName", "");
    const auto claim = sources_.claim(claim_name);
    if (!claim || claim->value("status", Json::object()).value("phase", "") != "Bound")
      return fail(Code::kUnavailable, fmt::format("persistentvolumeclaim \"{}\" is not bound", claim_name));
    const fs::path folder = claims_folder_ / claim->at("metadata").at("uid").get<std::string>().substr(0, 13);
    if (auto made = make_folder(folder, 0755, account_); !made) return made;
    folders_[name] = folder;
    return {};
  }
  if (volume.contains("hostPath")) {
    folders_[name] = volume["hostPath"].value("path", "");
    return {};
  }
  const fs::path folder = pod_folder_ / "v" / name;
  if (!folders_.contains(name)) {
    if (auto made = make_folder(folder, 0755, account_); !made) return made;
    folders_[name] = folder;
  }
  if (volume.contains("emptyDir")) return {};

  VolumeFiles files;
  Json sources = Json::array();
  if (volume.contains("projected")) {
    sources = volume["projected"].value("sources", Json::array());
  } else if (volume.contains("secret")) {
    Json source = volume["secret"];
    source["name"] = source.value("secretName", "");
    sources.push_back({{"secret", source}});
  } else if (volume.contains("configMap") || volume.contains("downwardAPI")) {
    sources.push_back(volume);
  } else {
    return fail(Code::kInvalid, fmt::format("volume {}: of a kind the sandbox does not have", name));
  }
  for (const Json& source : sources)
    if (auto added = add_source(pod, name, source, files); !added) return added;
  return publish(name, files);
}

Status Volumes::add_source(const Json& pod, const std::string& volume, const Json& source, VolumeFiles& files) {
  if (source.contains("downwardAPI")) return add_downward(pod, place_, source["downwardAPI"], files);
  if (source.contains("serviceAccountToken")) {
    const Json& wanted = source["serviceAccountToken"];
    const std::string path = wanted.value("path", "token");
    ServiceAccountToken& held = tokens_[volume + "/" + path];
    if (held.token.empty() || clock_.boot_now() >= held.renew_at) {
      auto fresh = sources_.token(wanted.value("audience", ""), wanted.value("expirationSeconds", 3600));
      if (!fresh && held.token.empty()) return std::unexpected(fresh.error());
      if (fresh) held = *fresh;
    }
    files[path] = {held.token, 0600};
    return {};
  }
  const bool is_secret = source.contains("secret");
  const Json& reference = is_secret ? source["secret"] : source.value("configMap", Json::object());
  const std::string name = reference.value("name", "");
  const std::string what = fmt::format("{} \"{}\"", is_secret ? "secret" : "configmap", name);
  const auto object = is_secret ? sources_.secret(name) : sources_.config_map(name);
  if (!object) {
    if (!is_secret && name == "kube-root-ca.crt" && !sources_.ca_pem.empty())
      return add_values({{"ca.crt", sources_.ca_pem}}, reference, 0644, what, files);
    if (reference.value("optional", false)) return {};
    return fail(Code::kUnavailable, fmt::format("{} not found", what));
  }
  // Secrets are readable by the pod's account alone, whatever defaultMode says: PostgreSQL refuses a key that others
  // may read.
  return add_values(is_secret ? secret_values(*object) : config_map_values(*object), reference, is_secret ? 0600 : 0644,
                    what, files);
}

Status Volumes::publish(const std::string& volume, const VolumeFiles& files) {
  const auto before = published_.find(volume);
  if (before != published_.end() && before->second == files) return {};
  if (auto done = publish_files(folders_.at(volume), files, fmt::format("g{}", ++generation_), account_); !done)
    return done;
  published_[volume] = files;
  return {};
}

Result<std::vector<Mount>> Volumes::mounts(const Json& container) const {
  std::vector<Mount> out;
  for (const Json& mount : container.value("volumeMounts", Json::array())) {
    const std::string volume = mount.value("name", "");
    const auto folder = folders_.find(volume);
    if (folder == folders_.end())
      return fail(Code::kInvalid, fmt::format("volumeMounts: the pod has no volume {}", volume));
    std::string path = mount.value("mountPath", "");
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    const std::string sub = mount.value("subPath", "");
    if (!sub.empty() && !std::filesystem::exists(folder->second / sub))
      if (auto made = make_folder(folder->second / sub, 0755, account_); !made) return std::unexpected(made.error());
    out.push_back({path, sub.empty() ? folder->second : folder->second / sub});
  }
  return out;
}

std::optional<fs::path> Volumes::folder_of(const std::string& volume) const {
  const auto found = folders_.find(volume);
  if (found == folders_.end()) return std::nullopt;
  return found->second;
}

}  // namespace twinspan::sandbox
