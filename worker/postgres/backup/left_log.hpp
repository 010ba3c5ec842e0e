// The last log of data that were put aside: it was not stored when they stopped, and the database that goes on knows
// nothing of it. Both histories stay restorable to their ends.
#pragma once
#include <stop_token>
#include <string>
#include <vector>

#include "worker/postgres/backup/pgbackrest.hpp"

namespace twinspan::worker {

// Whole segments of which PostgreSQL noted there that they wait to be stored, oldest first. Histories were stored
// before anything else was (BackupKeeper::store_histories).
std::vector<std::string> left_log(const std::string& pgdata);
// Stores the first of them, by whoever may store, and notes it there. False: there is none. An error that says so where
// the repository has other bytes under that name: it is left alone.
Result<bool> store_left(const PgBackRest& program, const std::string& pgdata, const std::stop_token& stop);

}  // namespace twinspan::worker
