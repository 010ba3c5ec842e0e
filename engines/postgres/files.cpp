#include "engines/postgres/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace twinspan::postgres {
namespace {

std::unexpected<Error> failed(const char* what, const std::string& path) {
  const int code = errno;
  const Code kind = code == ENOENT                    ? Code::kNotFound
                    : code == EACCES || code == EPERM ? Code::kDenied
                                                      : Code::kInternal;
  return fail(kind, fmt::format("{} {}: {}", what, path, std::strerror(code)));
}

}  // namespace

Result<bool> replace_file(const std::string& path, const std::string& content, mode_t mode) {
  if (const auto old = read_file(path); old && *old == content) return false;
  const std::string beside = path + ".new";
  unlink(beside.c_str());  // a leftover may have another mode
  const int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return failed("create", beside);
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t wrote = write(fd, content.data() + done, content.size() - done);
    if (wrote < 0) {
      auto error = failed("write", beside);
      close(fd);
      unlink(beside.c_str());
      return error;
    }
    done += static_cast<size_t>(wrote);
  }
  if (fchmod(fd, mode) != 0 || fsync(fd) != 0) {
    auto error = failed("sync", beside);
    close(fd);
    unlink(beside.c_str());
    return error;
  }
  close(fd);
  if (rename(beside.c_str(), path.c_str()) != 0) return failed("rename", beside);
  return true;
}

Status sync_directory(const std::string& directory) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return failed("open", directory);
  const bool synced = fsync(fd) == 0;
  auto error = failed("sync", directory);
  close(fd);
  if (!synced) return error;
  return {};
}

Status remove_tree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return fail(Code::kInternal, fmt::format("remove {}: {}", path, error.message()));
  return {};
}

bool exists(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0;
}

}  // namespace twinspan::postgres
