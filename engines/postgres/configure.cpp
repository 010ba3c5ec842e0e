#include "engines/postgres/configure.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdio>

#include "engines/postgres/command.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/hba.hpp"

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
  if (auto wrote = write(layout.hba_file(), render_hba(settings.accept_clients, settings.hba)); !wrote)
    return std::unexpected(wrote.error());
  if (auto wrote = write(layout.ident_file(), render_ident(*user)); !wrote) return std::unexpected(wrote.error());
  if (!exists(layout.pgdata() + "/PG_VERSION")) return changed;
  const std::string conf = render_conf(layout, settings);
  const auto old = read_file(layout.conf_file());
  const bool same = old && *old == conf;
  // What recovery raises is judged as it was asked for, though the file stays as it is.
  if (judge && (!same || conf != render_conf(layout, without_floor(settings))))
    if (auto fine = judge_configuration(children, layout, settings, stop); !fine) return std::unexpected(fine.error());
  if (same) return changed;
  if (auto wrote = write(layout.conf_file(), conf); !wrote) return std::unexpected(wrote.error());
  return changed;
}

Status judge_configuration(Children& children, const Layout& layout, const Settings& settings,
                           const std::stop_token& stop) {
  if (auto fine = check_parameters(settings.parameters); !fine) return fine;
  const std::string trial = layout.conf_file() + ".trial";
  if (auto wrote = replace_file(trial, render_conf(layout, without_floor(settings)), 0600); !wrote)
    return std::unexpected(wrote.error());
  const Command command{layout.program("postgres"),
                        {"-D", layout.pgdata(), "-c", "config_file=" + trial, "-C", "max_connections"},
                        {},
                        std::chrono::seconds(10),
                        {}};
  const auto judged = run(children, command, stop);
  std::remove(trial.c_str());
  if (!judged) return std::unexpected(judged.error());
  if (judged->exit.clean()) return {};
  std::string words = judged->last;
  for (size_t at = words.find(trial); at != std::string::npos; at = words.find(trial))
    words.replace(at, trial.size(), "parameters");
  return fail(Code::kInvalid, fmt::format("parameters: {}", words));
}

Result<bool> copy_tls_files(const Layout& layout) {
  // Read all before writing any: a half-rotated set must not be installed.
  // The certificate comes after its key, so that whoever sees a new certificate finds the key that belongs to it.
  const std::vector<std::pair<std::string, std::string>> files = {{"ca.crt", layout.ca_file()},
                                                                  {"tls.key", layout.key_file()},
                                                                  {"tls.crt", layout.certificate_file()},
                                                                  {"client.key", layout.client_key_file()},
                                                                  {"client.crt", layout.client_certificate_file()}};
  std::vector<std::string> contents;
  for (const auto& [name, path] : files) {
    auto content = read_file(layout.tls_dir + "/" + name);
    if (!content) return std::unexpected(content.error());
    contents.push_back(std::move(*content));
  }
  bool changed = false;
  for (size_t i = 0; i < files.size(); ++i) {
    const auto wrote = replace_file(files[i].second, contents[i], 0600);
    if (!wrote) return std::unexpected(wrote.error());
    changed = changed || *wrote;
  }
  return changed;
}

}  // namespace twinspan::postgres
