// A database of another server, copied into one of this instance by pg_dump and pg_restore: definitions, then the rows
// of as many tables at once as are asked for, all of one snapshot, then indexes, constraints and the rest. What is made
// belongs to the owner.
#pragma once
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/import_source.hpp"
#include "engines/postgres/layout.hpp"

namespace twinspan::postgres {

struct ImportWanted {
  ImportSource source;
  std::string database, owner;  // here
  bool schema_only = false;
  size_t jobs = 2;
  std::string directory;  // of this import's own, for files that hold definitions
};

// Called by any thread.
struct ImportSteps {
  // What there is at the source, which can be read. After it the database here is empty, and this import's alone.
  std::function<Status(int64_t tables, int64_t bytes)> connected;
  std::function<void()> rows;     // definitions are here
  std::function<void()> table;    // the rows of one begin to come
  std::function<void()> indexes;  // rows are here
};

// Names of what was left out because only a superuser could own it. Errors as explained() has them.
Result<std::vector<std::string>> import_database(Children& children, const Layout& layout, int port,
                                                 const ImportWanted& wanted, const ImportSteps& steps,
                                                 const std::stop_token& stop);
// How large it is here.
Result<int64_t> database_bytes(const Layout& layout, int port, const std::string& database,
                               const std::stop_token& stop = {});

}  // namespace twinspan::postgres
