// What has to hold in a database that was restored to be tested. It is asked as a role that may read everything and
// is no superuser: whoever may write a BackupSchedule may not get at what opens the repository by a query.
#pragma once
#include <stop_token>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/sql.hpp"

namespace twinspan::worker {

inline constexpr const char* kTestRole = "twinspan_restore_test";

// The role, made in the restored copy alone.
Status make_test_role(postgres::Session& superuser, const std::stop_token& stop);
// Every query runs without an error, and every check's number is at least what is asked. The error names the query.
Status ask_restored(const postgres::Layout& layout, int port, const api::TestAssignment& test,
                    const std::string& database, const std::stop_token& stop);
// pg_amcheck of every database.
Status check_heap_and_indexes(postgres::Children& children, const postgres::Layout& layout, int port,
                              const std::stop_token& stop);
// pg_checksums of an instance that was stopped. False: it has no checksums.
Result<bool> check_checksums(postgres::Children& children, const postgres::Layout& layout, const std::stop_token& stop);

// Whether what a check's query gave is one row of one number of at least so much; the error says what it is instead.
// Pure.
Status judge_check(const postgres::Rows& rows, int64_t at_least);

}  // namespace twinspan::worker
