// Reading every object of the repository, at the lowest priority, on a thread of its own: hours. One at a time.
#pragma once
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "contract/backup_report.hpp"
#include "core/role_thread.hpp"
#include "worker/postgres/backup/pgbackrest.hpp"

namespace twinspan::worker {

class ReadBack {
 public:
  // `tell`: into the member's report; from the thread of its own, too.
  explicit ReadBack(std::function<void(const BackupReport::Read&)> tell) : tell_(std::move(tell)) {}

  // From one thread. `asked`: what is wanted of this member; nullopt: nothing, what is under way is called off.
  void want(const std::optional<std::string>& asked, const std::optional<PgBackRest>& program);
  void stop() { thread_.stop(); }

 private:
  const std::function<void(const BackupReport::Read&)> tell_;
  std::optional<std::string> begun_;
  RoleThread thread_{"read-back"};
};

// One reading, up to its answer.
BackupReport::Read read_back(const PgBackRest& program, const std::string& asked, const std::stop_token& stop);

}  // namespace twinspan::worker
