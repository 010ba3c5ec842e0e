// The server that an import copies from, as the agent and PostgreSQL's programs reach it.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "engines/postgres/sql.hpp"

namespace twinspan::postgres {

struct ImportSource {
  std::string host;
  int port = 5432;
  std::string database, user;
  std::string ssl_mode;            // as libpq has it
  std::string pass_file, ca_file;  // libpq's passfile, which its owner alone may read
};

// No secret is in it: the password is in a file.
std::string source_conninfo(const ImportSource& from, const std::string& application_name,
                            const std::string& options = "");
// No statement of it is ended by the server's own limits, but for a transaction that idles.
Result<Session> open_source(const ImportSource& from, const std::stop_token& stop = {});

// The same, to make and drop publications: a source may be read-only by default, so that nobody writes there any more.
Result<Session> open_source_to_write(const ImportSource& from, const std::stop_token& stop = {});

// Of people's, neither temporary nor an extension's: a condition on pg_class c and pg_namespace n. What holds rows is
// of relkind 'r', partitions, too.
inline constexpr std::string_view kTheirs =
    "relpersistence <> 't' AND nspname !~ '^pg_' AND nspname <> 'information_schema' AND NOT EXISTS (SELECT 1 FROM"
    " pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')";

inline constexpr const char* kQuotedName = "format('%I.%I', nspname, relname)";
// Of people's relations of that kind, `what` of each.
std::string theirs(const std::string& what, const char* kind, const std::string& condition);
// Of what a publication has.
std::string published_by(const std::string& publication);
// Statements whose rows nobody asks for.
Status run(Session& session, const std::string& sql, std::chrono::milliseconds time, const std::stop_token& stop);
Result<std::vector<std::string>> list_names(Session& session, const std::string& sql, const std::stop_token& stop);
int64_t integer_of(const std::optional<std::string>& text);  // 0 where it is none

}  // namespace twinspan::postgres
