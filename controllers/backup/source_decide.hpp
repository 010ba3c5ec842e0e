// Whose data a backup copies: a replica's, where one follows closely enough, or the primary's. Pure.
#pragma once
#include <string>

#include "controllers/backup/backup_decide.hpp"

namespace twinspan::controllers {

struct SourceSeen {
  const std::map<std::string, MemberSeen>& members;  // by endpoint, whose report is fresh
  const std::string& primary;                        // of the link; not empty
  const std::string& stanza;                         // that is written now
  const api::BackupScheduleSpec& spec;               // takeFrom, maxLagSeconds
  const api::BackupStatus& status;  // of the Backup: who took the last attempt, and how many there were
};

struct Source {
  std::string endpoint;  // empty: it waits
  std::string why;       // for people, where it waits: what is the matter with each replica
};

Source choose_source(const SourceSeen& seen);

}  // namespace twinspan::controllers
