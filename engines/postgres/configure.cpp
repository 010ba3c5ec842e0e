#include "engines/postgres/configure.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdio>

#include "engines/postgres/command.hpp"
#include "engines/postgres/files.hpp"

namespace twinspan::postgres {

Result<std::string> os_user_name() {
  passwd entry{};
  passwd* found = nullptr;
  std::string buffer(16384, 0);
  getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr)
    return fail(Code::kNotFound,
                fmt::format("user id {} has no name: PostgreSQL needs an entry in /etc/passwd", geteuid()));
  return std::string(found->pw_name);
}

Result<bool> write_configuration(Children& children, const Layout& layout, const Settings& settings, bool judge,
                                 const std::stop_token& stop) {
  const auto user = os_user_name();
  if (!user) return std::unexpected(user.error());
  if (auto fine = check_parameters(settings.parameters); !fine) return std::unexpected(fine.error());
  bool changed = false;
  const auto write = [&](const std::string& path, const std::string& content) -> Status {
    const auto wrote = replace_file(path, content, 0600);
    if (!wrote) return std::unexpected(wrote.error());
    changed = changed || *wrote;
    return {};
  };
  if (auto wrote = write(layout.hba_file(), render_hba(settings.accept_clients)); !wrote)
    return std::unexpected(wrote.error());
  if (auto wrote = write(layout.ident_file(), render_ident(*user)); !wrote) return std::unexpected(wrote.error());
  if (!exists(layout.pgdata() + "/PG_VERSION")) return changed;
  const std::string conf = render_conf(layout, settings);
  if (const auto old = read_file(layout.conf_file()); old && *old == conf) return changed;
  if (judge) {
    const std::string trial = layout.conf_file() + ".trial";
    if (auto wrote = replace_file(trial, conf, 0600); !wrote) return std::unexpected(wrote.error());
    const Command command{layout.program("postgres"),
                          {"-D", layout.pgdata(), "-c", "config_file=" + trial, "-C", "max_connections"},
                          {},
                          std::chrono::seconds(10),
                          {}};
    auto judged = run(children, command, stop);
    std::remove(trial.c_str());
    if (!judged) return std::unexpected(judged.error());
    if (!judged->exit.clean()) {
      std::string words = judged->last;
      for (size_t at = words.find(trial); at != std::string::npos; at = words.find(trial))
        words.replace(at, trial.size(), "parameters");
      return fail(Code::kInvalid, fmt::format("parameters: {}", words));
    }
  }
  if (auto wrote = write(layout.conf_file(), conf); !wrote) return std::unexpected(wrote.error());
  return changed;
}

Result<bool> copy_tls_files(const Layout& layout) {
  // Read all before writing any: a half-rotated set must not be installed.
  const auto certificate = read_file(layout.tls_dir + "/tls.crt");
  if (!certificate) return std::unexpected(certificate.error());
  const auto key = read_file(layout.tls_dir + "/tls.key");
  if (!key) return std::unexpected(key.error());
  const auto ca = read_file(layout.tls_dir + "/ca.crt");
  if (!ca) return std::unexpected(ca.error());
  bool changed = false;
  const auto copy = [&](const std::string& path, const std::string& content) -> Status {
    const auto wrote = replace_file(path, content, 0600);
    if (!wrote) return std::unexpected(wrote.error());
    changed = changed || *wrote;
    return {};
  };
  if (auto done = copy(layout.ca_file(), *ca); !done) return std::unexpected(done.error());
  if (auto done = copy(layout.key_file(), *key); !done) return std::unexpected(done.error());
  if (auto done = copy(layout.certificate_file(), *certificate); !done) return std::unexpected(done.error());
  return changed;
}

}  // namespace twinspan::postgres
