// Roles, databases and extensions of a primary, brought to what is declared (sql_objects.hpp plans it).
#pragma once
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/sql.hpp"
#include "engines/postgres/sql_objects.hpp"

namespace twinspan::postgres {

// A password and what the server stores for it: made anew, it would be another text each time.
struct KnownPassword {
  std::string password, verifier;
};

// One thread at a time.
class Objects {
 public:
  struct Role {
    WantedRole wanted;                    // its verifier is looked for here
    std::optional<std::string> password;  // nullopt: what is there stays
  };
  struct Trouble {
    std::string object, words;  // for people: "role reports", PostgreSQL's own
    bool operator==(const Trouble&) const = default;
  };
  struct Outcome {
    std::vector<Trouble> troubles;     // what is not as declared; the rest is
    std::vector<std::string> changed;  // objects, for the log
  };
  // May be repeated: what is as declared is left alone. Waits for no replica. An error: nobody gets in, or `stop`.
  Result<Outcome> ensure(const Layout& layout, int port, const std::vector<Role>& roles,
                         const std::vector<WantedDatabase>& databases, const std::stop_token& stop = {});

 private:
  std::map<std::string, KnownPassword> passwords_;  // by role, as this object set them
};

}  // namespace twinspan::postgres
