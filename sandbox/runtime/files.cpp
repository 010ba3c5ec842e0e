#include "sandbox/runtime/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

namespace twinspan::sandbox {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> failed(const fs::path& path, const char* what) {
  return fail(Code::kInternal, fmt::format("{} {}: {}", what, path.string(), std::strerror(errno)));
}

Status write_plain(const fs::path& path, const VolumeFile& file, const std::optional<Account>& account) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return failed(path, "open");
  size_t done = 0;
  while (done < file.content.size()) {
    const ssize_t put = write(fd, file.content.data() + done, file.content.size() - done);
    if (put < 0) break;
    done += static_cast<size_t>(put);
  }
  const bool ok = done == file.content.size() && fchmod(fd, file.mode) == 0 &&
                  (!account || fchown(fd, account->uid, account->gid) == 0);
  const int error = errno;
  close(fd);
  errno = error;
  if (!ok) return failed(path, "write");
  return {};
}

Status replace_link(const fs::path& target, const fs::path& link) {
  const fs::path fresh = link.string() + ".new";
  unlink(fresh.c_str());
  if (symlink(target.c_str(), fresh.c_str()) != 0 || rename(fresh.c_str(), link.c_str()) != 0)
    return failed(link, "link");
  return {};
}

bool is_open(const fs::path& folder) {
  for (fs::path one = fs::absolute(folder).lexically_normal();; one = one.parent_path()) {
    std::error_code error;
    if ((fs::status(one, error).permissions() & fs::perms::others_exec) == fs::perms::none || error) return false;
    if (one == one.root_path()) return true;
  }
}

}  // namespace

Status make_folder(const fs::path& folder, mode_t mode, const std::optional<Account>& account) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(Code::kInternal, fmt::format("create {}: {}", folder.string(), error.message()));
  if (chmod(folder.c_str(), mode) != 0) return failed(folder, "chmod");
  if (account && chown(folder.c_str(), account->uid, account->gid) != 0) return failed(folder, "chown");
  return {};
}

Status write_file(const fs::path& path, const VolumeFile& file, const std::optional<Account>& account) {
  const fs::path fresh = path.string() + ".new";
  if (auto written = write_plain(fresh, file, account); !written) return written;
  if (rename(fresh.c_str(), path.c_str()) != 0) return failed(path, "rename");
  return {};
}

Status publish_files(const fs::path& folder, const VolumeFiles& files, const std::string& generation,
                     const std::optional<Account>& account) {
  const fs::path data = folder / fmt::format("..{}", generation);
  if (auto made = make_folder(data, 0755, account); !made) return made;
  std::set<std::string> tops;  // first parts of the paths: what the links in `folder` are named
  for (const auto& [name, file] : files) {
    const fs::path path = data / name;
    if (path.parent_path() != data)
      if (auto made = make_folder(path.parent_path(), 0755, account); !made) return made;
    if (auto written = write_plain(path, file, account); !written) return written;
    tops.insert(fs::path(name).begin()->string());
  }
  std::error_code error;
  const fs::path before = fs::read_symlink(folder / "..data", error);
  if (auto linked = replace_link(data.filename(), folder / "..data"); !linked) return linked;
  for (const std::string& top : tops)
    if (!fs::is_symlink(folder / top))
      if (auto linked = replace_link(fs::path("..data") / top, folder / top); !linked) return linked;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("..") && !tops.contains(name)) fs::remove(entry.path(), error);
  }
  if (!before.empty() && before != data.filename()) fs::remove_all(folder / before, error);
  return {};
}

Status place_programs(std::vector<ImageProgram>& images, const fs::path& place) {
  for (ImageProgram& image : images) {
    const fs::path program = image.program, folder = program.parent_path();
    if (!program.is_absolute() || is_open(folder)) continue;
    if (auto made = make_folder(place, 0755, std::nullopt); !made) return made;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const fs::path copy = place / entry.path().filename();
      if (!entry.path().filename().string().starts_with("twinspan-") || fs::exists(copy)) continue;
      fs::create_hard_link(entry.path(), copy, error);
      if (error) fs::copy_file(entry.path(), copy, error);  // of another file system
      if (error) return fail(Code::kInternal, fmt::format("{}: {}", copy.string(), error.message()));
    }
    if (error) return fail(Code::kInternal, fmt::format("{}: {}", folder.string(), error.message()));
    image.program = (place / program.filename()).string();
  }
  return {};
}

}  // namespace twinspan::sandbox
