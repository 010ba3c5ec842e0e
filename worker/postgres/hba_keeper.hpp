// Which of people's lines of pg_hba.conf PostgreSQL is given: those that are asked for once it found them right, until
// then those before. The latter are kept in PGDATA, so that a replica has its primary's from the first moment: a clone
// takes them along. Data without a record were made by a version that knew no such lines: clients were let in by
// Twinspan's alone, and still are. One thread.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "contract/declared_objects.hpp"
#include "core/result.hpp"
#include "engines/postgres/hba.hpp"

namespace twinspan::worker {

// Of data that are new, or came from another link, before they are put in their place: nobody is let in by lines of
// people's before PostgreSQL found this link's right.
Status let_nobody_in(const std::string& pgdata);

class HbaKeeper {
 public:
  using Lines = std::vector<std::string>;

  explicit HbaKeeper(std::string pgdata) : pgdata_(std::move(pgdata)) {}

  // The last ones that were found right; nullopt: none were, and nobody may be let in.
  std::optional<Lines> in_force() const;
  // What to give to PostgreSQL. nullopt: nobody is to be let in before something was found right. Twinspan's lines
  // alone always are.
  std::optional<Lines> to_give(const Lines& asked) const { return asked.empty() ? Lines{} : in_force(); }
  // PostgreSQL has yet to be asked of these.
  bool is_unjudged(const Lines& asked) const;
  // Its answer. Without a fault they are in force from here on, durably.
  Status judged(const Lines& asked, std::vector<postgres::HbaFault> faults);
  // For the report; nullopt: neither in force nor refused.
  std::optional<ObjectsReport> said_of(const Lines& asked) const;

 private:
  struct Refused {
    Lines asked;
    std::vector<postgres::HbaFault> faults;
  };
  const std::string pgdata_;
  std::optional<Refused> refused_;
};

}  // namespace twinspan::worker
