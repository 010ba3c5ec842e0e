// `pgbackrest server` at a primary, only while a replica of it is backed up: whoever has the link's certificate of
// replication may call it, and it reads whatever the primary's own user may.
#pragma once
#include <optional>
#include <stop_token>
#include <string>

#include "core/guarded.hpp"
#include "core/result.hpp"
#include "core/role_thread.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/layout.hpp"

namespace twinspan::worker {

class BackupServer {
 public:
  BackupServer(postgres::Children& children, const postgres::Layout& layout, std::string address)
      : children_(children), layout_(layout), address_(std::move(address)) {}

  // Of one thread: runs for this stanza, or, nullopt, does not; returns once what ran otherwise is gone.
  void want(const std::optional<std::string>& stanza);
  void end_now();  // any thread; returns at once

 private:
  void serve(const std::string& stanza, const std::stop_token& stop);
  Result<std::string> write_configuration(const std::string& stanza) const;

  postgres::Children& children_;
  const postgres::Layout& layout_;
  const std::string address_;
  std::optional<std::string> serves_;  // of want()
  Mutex mutex_;
  std::stop_source stop_ GUARDED_BY(mutex_);
  RoleThread thread_{"backup-server"};
};

}  // namespace twinspan::worker
