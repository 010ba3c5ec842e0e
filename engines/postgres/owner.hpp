// The database and the role that owns it, as a Secret of people's says.
#pragma once
#include <chrono>
#include <stop_token>
#include <string>

#include "core/result.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/sql.hpp"

namespace twinspan::postgres {

struct Owner {
  std::string username, password;
};
// kInvalid where the name belongs to PostgreSQL or to Twinspan.
Status check_owner(const Owner& owner);
// People's tools leave one at the end of a value.
std::string without_line_break(std::string text);
// The files `username` and `password`, without the line break that people's tools leave at the end. kNotFound,
// kInvalid.
Result<Owner> read_owner(const std::string& owner_dir);

// The owner as a plain login role with this password, and the database, owned by it. Where another role owned it, what
// that one owned there becomes the new owner's, in one transaction with the end of its login; before that the same in
// those of `with_it` that it owned. May be repeated; waits for no replica. `local` is a superuser's session.
Status ensure_owner_and_database(const Layout& layout, int port, Session& local, const Owner& owner,
                                 const std::string& database, const std::vector<std::string>& with_it,
                                 const std::stop_token& stop = {});

}  // namespace twinspan::postgres
