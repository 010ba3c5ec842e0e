// Which of people's settings PostgreSQL is given: those that are asked for, or, where it does not run with them, those
// it last ran well with. The latter are kept beside PGDATA, so that a restarted agent knows them, too. One thread.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "core/result.hpp"

namespace twinspan::worker {

class ParameterKeeper {
 public:
  using Map = std::map<std::string, std::string>;

  explicit ParameterKeeper(std::string data_dir);

  // What to give to PostgreSQL where `asked` is wanted. What was given up is not tried again until something else is
  // asked for, or by another `attempt` (each trial is one; what is accepted has the empty one).
  const Map& choose(const Map& asked, const std::string& attempt);
  const Map& chosen() const { return chosen_; }
  // What was chosen has not run yet: the next start or reload shows whether it does.
  bool on_probation() const { return chosen_ != fallback(); }
  bool has_good() const { return good_.has_value(); }
  // What would take its place.
  Map fallback() const { return good_.value_or(Map{}); }
  // PostgreSQL does not run with what was chosen, in its own words: back to what it last ran well with; where that is
  // not known, to `instead`.
  void give_up(const std::string& words, const Map& instead = {});
  // It runs: durable from here on.
  Status proven();
  // Why what is asked for is not what was chosen, in PostgreSQL's words; empty: it is.
  std::string trouble() const { return given_up_ ? given_up_->words : ""; }

 private:
  struct GivenUp {
    Map asked;
    std::string attempt, words;
  };
  void load();

  const std::string data_dir_;
  std::optional<Map> good_;
  Map chosen_, asked_;
  std::string attempt_;
  std::optional<GivenUp> given_up_;
};

}  // namespace twinspan::worker
