// How far an import is, written beside the database: in table twinspan.imports of database postgres, by the database's
// oid, where its owner can't write. It goes the way of the log with the data, so that whoever is promoted has of both
// the same. Until all is here nobody but superusers is let into the database.
#pragma once
#include <stop_token>
#include <string>

#include "core/result.hpp"
#include "engines/postgres/import_rules.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/sql.hpp"

namespace twinspan::postgres {

// What is there. `told_completed`: here, one of this name was completed and is gone since.
Result<ImportFound> look_at_import(const Layout& layout, int port, const std::string& database,
                                   const std::stop_token& stop = {});
// Nobody who is no superuser is let in, and whoever is there is sent away. May be repeated. `local`: in database
// postgres, as of all that follow.
Status keep_clients_out(Session& local, const std::string& database, const std::stop_token& stop = {});
Status let_clients_in(Session& local, const std::string& database, const std::stop_token& stop = {});
// Those of imports, here alone: what they have at their source is for whoever knows it (follow.hpp).
Status drop_subscriptions(const Layout& layout, int port, const std::string& database,
                          const std::stop_token& stop = {});
// Of a database that is marked as begun: what is there is people's from now on.
Status give_up_import(Session& local, const std::string& database, const std::stop_token& stop = {});
// Marks the database as it is, which is empty, with the timeline.
Status begin_import(Session& local, const std::string& database, const std::stop_token& stop = {});
// Puts an empty database, marked, into the place of one that is marked as begun, and drops that.
Status begin_import_anew(const Layout& layout, int port, Session& local, const std::string& database,
                         const std::string& owner, const std::stop_token& stop = {});
// Marks it as whole and lets clients in, in one transaction.
Status complete_import(Session& local, const std::string& database, const std::stop_token& stop = {});

}  // namespace twinspan::postgres
