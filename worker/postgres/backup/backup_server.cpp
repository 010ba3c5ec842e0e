#include "worker/postgres/backup/backup_server.hpp"

#include <filesystem>

#include "backup/standby.hpp"
#include "core/log.hpp"
#include "core/wait.hpp"
#include "engines/postgres/command.hpp"
#include "engines/postgres/files.hpp"

namespace twinspan::worker {

void BackupServer::want(const std::optional<std::string>& stanza) {
  bool ended = false;
  {
    MutexLock lock(mutex_);
    ended = stop_.stop_requested();
    if (thread_.started() && stanza != serves_) stop_.request_stop();
  }
  if (thread_.started() && (ended || stanza != serves_)) thread_.stop();
  serves_ = stanza;
  if (!stanza || thread_.started()) return;
  {
    MutexLock lock(mutex_);
    stop_ = std::stop_source();
  }
  thread_.start([this, name = *stanza](const std::stop_token& stop) { serve(name, stop); });
}

void BackupServer::end_now() {
  MutexLock lock(mutex_);
  stop_.request_stop();
}

void BackupServer::serve(const std::string& stanza, const std::stop_token& stop) {
  std::stop_source own;
  {
    MutexLock lock(mutex_);
    own = stop_;
  }
  const std::stop_callback ends(stop, [&] { own.request_stop(); });
  const std::stop_token over = own.get_token();
  while (!over.stop_requested()) {
    const auto config = write_configuration(stanza);
    Error why{Code::kInternal, "", true};
    if (config) {
      // Its process group is killed once it is to end, those that serve one connection with it.
      const auto ran = postgres::run(
          children_, {"/usr/bin/pgbackrest", {"--config=" + *config, "server"}, {}, std::chrono::hours(24 * 7), {}},
          over);
      if (over.stop_requested()) return;
      if (ran)
        why.message = ran->exit.describe() + ": " + ran->last;
      else
        why = ran.error();
    } else {
      why = config.error();
    }
    log::warn("pgbackrest server ended, and is begun anew", {{"error", why.message}});
    if (!wait_for(std::chrono::seconds(1), over)) return;
  }
}

Result<std::string> BackupServer::write_configuration(const std::string& stanza) const {
  const std::string folder = layout_.run_dir + "/backup", path = folder + "/server.conf";
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  const auto text = backup::render_server({address_,
                                           {layout_.ca_file(), layout_.certificate_file(), layout_.key_file()},
                                           postgres::kReplicationRole,
                                           stanza});
  if (!text) return std::unexpected(text.error());
  if (auto wrote = postgres::replace_file(path, *text, 0600); !wrote) return std::unexpected(wrote.error());
  return path;
}

}  // namespace twinspan::worker
