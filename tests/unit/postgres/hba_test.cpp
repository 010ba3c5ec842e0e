#include "engines/postgres/hba.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace twinspan::postgres {
namespace {

using Lines = std::vector<std::string>;

Lines lines_of(const std::string& text) {
  std::istringstream in(text);
  Lines lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// As pg_hba_file_rules has them: number and error.
Rows rules(const Lines& of, const std::map<size_t, std::string>& errors = {}) {
  Rows rows;
  const Lines all = lines_of(render_hba(true, of));
  for (size_t i = 1; i < all.size(); ++i) {
    const auto error = errors.find(i + 1);
    rows.push_back({std::to_string(i + 1), error == errors.end() ? std::nullopt : std::optional(error->second)});
  }
  return rows;
}

TEST(Hba, LetsNobodyInWithoutTlsAndTheSuperuserOnlyBySocket) {
  for (const bool clients : {true, false}) {
    const std::string hba = render_hba(clients, {});
    for (const std::string& line : lines_of(hba)) {
      EXPECT_TRUE(line.starts_with("#") ||
                  line.starts_with("local   all              postgres,twinspan_metrics  peer ") ||
                  line.starts_with("hostssl ") || line.ends_with("  reject"))
          << line;
      EXPECT_EQ(line.find("trust"), std::string::npos);
    }
    EXPECT_EQ(hba.find("scram-sha-256") != std::string::npos, clients);
  }
}

TEST(Hba, PeoplesLinesStandBehindThoseOfTwinspansRolesAndBeforeTheLast) {
  const Lines people{"host all all all trust", "host replication all all trust"};
  const Lines all = lines_of(render_hba(true, people));
  ASSERT_EQ(all.size(), 8u);
  EXPECT_EQ(all[4], "host    all,replication  twinspan_replication,postgres,twinspan_metrics  all  reject");
  EXPECT_EQ(Lines(all.begin() + 5, all.begin() + 7), people);
  EXPECT_EQ(all[7], "hostssl all              all  all  scram-sha-256");
  // Nobody reads a warm standby, whatever people write.
  EXPECT_EQ(render_hba(false, people), render_hba(false, {}));
}

TEST(Hba, FaultsAreNamedByPeoplesLine) {
  const Lines people{"hostssl all a all scram-sha-256", "hostssl all b 10.0.0.0/33 scram-sha-256",
                     "hostssl all c all md6"};
  EXPECT_TRUE(hba_faults(rules(people), people).empty());
  EXPECT_TRUE(hba_faults(rules({}), {}).empty());
  EXPECT_EQ(hba_faults(rules(people, {{7, "invalid CIDR mask"}, {8, "invalid method"}}), people),
            (std::vector<HbaFault>{{1, "invalid CIDR mask"}, {2, "invalid method"}}));
  EXPECT_EQ(hba_faults(rules(people, {{3, "no TLS"}}), people),
            (std::vector<HbaFault>{{std::nullopt, "line 3: no TLS"}}));
}

TEST(Hba, ALineThatIsNoRuleOfItsOwnIsAFault) {
  const Lines people{"hostssl all a all scram-sha-256", "# nothing"};
  Rows rows = rules(people);
  rows.erase(rows.end() - 2);  // a comment is no rule
  ASSERT_EQ(hba_faults(rows, people).size(), 1u);
  EXPECT_EQ(hba_faults(rows, people)[0].line, 1u);
  // One that holds two makes one rule too many.
  const Lines two{"hostssl all a all scram-sha-256\nlocal all all trust"};
  ASSERT_EQ(hba_faults(rules(two), two).size(), 1u);
  EXPECT_FALSE(hba_faults(rules(two), two)[0].line);
  // One that takes the next along: Twinspan's last is gone.
  const Lines takes{"hostssl all a all scram-sha-256 \\"};
  rows = rules(takes);
  rows.pop_back();
  EXPECT_FALSE(hba_faults(rows, takes).empty());
  EXPECT_FALSE(hba_faults({}, {}).empty()) << "nothing was said";
}

}  // namespace
}  // namespace twinspan::postgres
