// Looks for a transaction or a restore point in the log that is stored, from its newest segment back to the first
// backup: pgBackRest fetches, pg_waldump reads.
#pragma once
#include <stop_token>
#include <string>

#include "backup/log_look.hpp"
#include "core/result.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/layout.hpp"
#include "worker/postgres/backup/pgbackrest.hpp"

namespace twinspan::worker {

struct LogSearch {
  postgres::Children& children;
  const PgBackRest& program;
  const postgres::Layout& place;  // a folder of its own is made in its data_dir, and taken away
  std::string system_id;          // of the database whose log it is
};

// A transaction is looked for until it is found, a restore point to the end: there may be two of one name. At a segment
// that is missing the search ends. kInternal, kUnavailable …: the repository does not answer.
Result<backup::LogLook> search_log(const LogSearch& search, backup::Walk walk, const backup::Goal& goal,
                                   const std::stop_token& stop);

}  // namespace twinspan::worker
