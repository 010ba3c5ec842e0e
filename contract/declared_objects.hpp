// What a PostgreSQL primary's agent says of roles, databases and extensions that people declare: `objects` of its
// report's details.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "failover/report.hpp"

namespace twinspan {

struct ObjectsReport {
  struct Trouble {
    std::string object, words;  // for people: "role reports", and what is the matter with it
    bool operator==(const Trouble&) const = default;
  };
  std::string asked;  // tells which were looked at last (api::objects_fingerprint)
  std::vector<Trouble> troubles;
  bool operator==(const ObjectsReport&) const = default;
};

Json details_of(const std::optional<ObjectsReport>& objects);
// nullopt: it says nothing of them.
std::optional<ObjectsReport> objects_of(const MemberReport& report);

}  // namespace twinspan
