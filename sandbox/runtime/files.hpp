// Files of Secret, ConfigMap and projected volumes: a reader sees the whole old set or the whole new one.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "sandbox/runtime/container.hpp"
#include "sandbox/runtime/launch.hpp"

namespace twinspan::sandbox {

struct VolumeFile {
  std::string content;
  mode_t mode = 0644;
  bool operator==(const VolumeFile&) const = default;
};
using VolumeFiles = std::map<std::string, VolumeFile>;  // by path inside the volume

// Makes `folder` and gives it to `account`.
Status make_folder(const std::filesystem::path& folder, mode_t mode, const std::optional<Account>& account);
// Replaces the content of `folder` as kubelet does: a new hidden folder, then `..data` is renamed over to it; the names
// in `folder` are links through `..data`. `generation` must differ between calls with different files.
Status publish_files(const std::filesystem::path& folder, const VolumeFiles& files, const std::string& generation,
                     const std::optional<Account>& account);
// Programs that stand for images, with those beside them, in `place`, where they lie in a folder that others may not
// enter, such as root's home: whoever gave root's rights up starts by name what lies beside its own program.
Status place_programs(std::vector<ImageProgram>& images, const std::filesystem::path& place);
// One file, replaced in one step.
Status write_file(const std::filesystem::path& path, const VolumeFile& file, const std::optional<Account>& account);

}  // namespace twinspan::sandbox
