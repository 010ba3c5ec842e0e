// A pod's volumes as folders of this machine.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/json.hpp"
#include "core/result.hpp"
#include "sandbox/runtime/container.hpp"
#include "sandbox/runtime/files.hpp"
#include "sandbox/runtime/launch.hpp"

namespace twinspan::sandbox {

struct ServiceAccountToken {
  std::string token;  // a secret
  BootTime renew_at;
};

// Where volumes get their content. All are called on the pod's thread.
struct VolumeSources {
  using Find =
      std::function<std::shared_ptr<const Json>(const std::string& name)>;  // in the pod's namespace; null: not there
  Find secret, config_map, claim;
  std::function<Result<ServiceAccountToken>(const std::string& audience, int expiration_seconds)> token;
  std::string ca_pem;  // of the API server: kube-root-ca.crt where the cluster has no such ConfigMap
};

// One pod's. Used on the pod's thread only.
class Volumes {
 public:
  Volumes(VolumeSources sources, const Clock& clock, PodPlace place, std::filesystem::path pod_folder,
          std::filesystem::path claims_folder, std::optional<Account> account);
  // Makes what is missing and brings the files of Secrets, ConfigMaps, tokens up to date. An error names what is not
  // there yet; what could be brought up to date has been. Cheap when nothing changed.
  Status sync(const Json& pod);
  // After sync() has once succeeded.
  Result<std::vector<Mount>> mounts(const Json& container) const;
  std::optional<std::filesystem::path> folder_of(const std::string& volume) const;

 private:
  Status sync_volume(const Json& pod, const Json& volume);
  Status publish(const std::string& volume, const VolumeFiles& files);
  Status add_source(const Json& pod, const std::string& volume, const Json& source, VolumeFiles& files);

  VolumeSources sources_;
  const Clock& clock_;
  PodPlace place_;
  std::filesystem::path pod_folder_, claims_folder_;
  std::optional<Account> account_;
  std::map<std::string, std::filesystem::path> folders_;  // by volume name
  std::map<std::string, VolumeFiles> published_;          // by volume name
  std::map<std::string, ServiceAccountToken> tokens_;     // by volume name and path
  unsigned generation_ = 0;
};

// Values of a Secret's data (base64 decoded) or of a ConfigMap's data and binaryData.
std::map<std::string, std::string> secret_values(const Json& secret);
std::map<std::string, std::string> config_map_values(const Json& config_map);

}  // namespace twinspan::sandbox
