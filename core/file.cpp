#include "core/file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace twinspan {

Result<std::string> read_file(const std::string& path) {
  const auto failed = [&](const char* what) {
    const int code = errno;
    return fail(code == ENOENT                    ? Code::kNotFound
                : code == EACCES || code == EPERM ? Code::kDenied
                                                  : Code::kInternal,
                std::string(what) + " " + path + ": " + std::strerror(code));
  };
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed("open");
  std::string content;
  char buffer[16384];
  ssize_t got = 0;
  while ((got = read(fd, buffer, sizeof buffer)) > 0) content.append(buffer, static_cast<size_t>(got));
  std::unexpected<Error> error = failed("read");
  close(fd);
  if (got < 0) return error;
  return content;
}

}  // namespace twinspan
