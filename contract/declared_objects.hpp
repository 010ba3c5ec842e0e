// What a PostgreSQL agent says of what people declare: a primary's of roles, databases and extensions (`objects` of its
// report's details), every member's of lines of pg_hba.conf (`hba`).
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
  std::string asked;  // tells which were looked at last (api::objects_fingerprint, hba_fingerprint)
  std::vector<Trouble> troubles;
  bool shut = false;  // of lines of pg_hba.conf: nobody is let in, there are none before these
  bool operator==(const ObjectsReport&) const = default;
};

inline constexpr const char *kDeclaredObjects = "objects", *kDeclaredHba = "hba";

Json details_of(const std::optional<ObjectsReport>& objects, const char* of = kDeclaredObjects);
// nullopt: it says nothing of them.
std::optional<ObjectsReport> objects_of(const MemberReport& report, const char* of = kDeclaredObjects);

}  // namespace twinspan
