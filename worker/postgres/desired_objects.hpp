// Roles, databases and extensions that a link's spec declares. Pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "engines/postgres/sql_objects.hpp"

namespace twinspan::worker {

struct DesiredObjects {
  struct Role {
    postgres::WantedRole wanted;
    std::optional<api::SecretKeyReference> password;
  };
  std::string asked;  // api::objects_fingerprint; empty: nothing is declared
  std::vector<Role> roles;
  std::vector<postgres::WantedDatabase> databases;  // an empty owner: that of the owner's Secret

  std::vector<std::string> of_the_owner() const;  // databases
  std::vector<std::string> names() const;         // for people: "role reports", "database stock"
};
DesiredObjects objects_from(const api::PostgresSettings& settings);

}  // namespace twinspan::worker
