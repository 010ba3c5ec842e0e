#include "engines/postgres/declared.hpp"

#include "engines/postgres/layout.hpp"

namespace twinspan::postgres {

Result<Declared> look_at_declared(Session& session, const std::string& owner, const std::string& database,
                                  const std::stop_token& stop) {
  constexpr std::chrono::milliseconds kTime{5000};
  const auto rows = session.query(
      "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1),"
      " encode(sha256(convert_to(coalesce((SELECT string_agg(concat_ws('|', rolname, rolcanlogin, rolsuper,"
      " rolreplication, rolbypassrls, rolpassword), ',' ORDER BY rolname)"
      " FROM pg_authid WHERE rolname IN ($2, $3)), ''), 'UTF8')), 'hex')",
      {database, owner, kReplicationRole}, kTime, stop);
  if (!rows) return std::unexpected(rows.error());
  if (rows->size() != 1 || !rows->front()[0] || !rows->front()[1])
    return fail(Code::kInternal, "declared objects: expected one row");
  return Declared{*rows->front()[0] == "t", *rows->front()[1]};
}

}  // namespace twinspan::postgres
