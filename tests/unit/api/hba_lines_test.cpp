// What tests/bad_manifests does not reach of spec.postgres.hba.
#include "api/hba_lines.hpp"

#include <gtest/gtest.h>

namespace twinspan::api {
namespace {

std::vector<std::string> warned(const std::string& line) {
  std::vector<std::string> warnings;
  warn_of_hba({line}, warnings);
  return warnings;
}
bool refused(const std::string& line) {
  std::vector<FieldError> errors;
  check_hba({"hostssl all all all reject", line}, errors);
  for (const FieldError& error : errors) EXPECT_EQ(error.field, "spec.postgres.hba[1]");
  return !errors.empty();
}

TEST(HbaLines, WhatPostgresqlHasToJudgeIsLeftToIt) {
  for (const char* line :
       {"host all all all trust", "hostssl\tall\tall\tall\tmd6", "hostssl shop reports 10.0.0.0/33 scram-sha-256",
        "hostgssenc all all all gss", "hostnogssenc all all all reject", "hostnossl all all 10.0.0.0 255.0.0.0 reject",
        R"(hostssl all "@admins" all scram-sha-256)", "hostssl all user@realm all scram-sha-256",
        R"(hostssl all all all ldap ldapserver=ldap.example ldapprefix="cn=" ldapsuffix="@example.com")",
        "hostssl all all all reject # nobody", R"(hostssl all all all reject \\ )"})
    EXPECT_FALSE(refused(line)) << line;
}

TEST(HbaLines, WhatWouldBeMoreThanOneRuleIsRefused) {
  for (const char* line :
       {"", " hostssl all all all reject", "hostssl", "hostsslall all all reject", "HOST all all all reject",
        "include_dir /x", "@/etc/passwd", "hostssl @x all all reject", "hostssl all a,@x all reject",
        "hostssl all all all reject\r", "hostssl all all all reject\n", R"(hostssl all all all \\)"})
    EXPECT_TRUE(refused(line)) << line;
  EXPECT_TRUE(refused(std::string("hostssl all\0all", 15)));
}

TEST(HbaLines, WhatIsUnwiseIsWarnedOfWithTheLine) {
  for (const char* line :
       {"host all all 10.0.0.0/8 trust", "hostnossl all all 10.0.0.0 255.0.0.0 trust", "hostssl all all all trust",
        "host all all all password", "host all all all ldap ldapserver=x"}) {
    ASSERT_EQ(warned(line).size(), 1u) << line;
    EXPECT_TRUE(warned(line)[0].starts_with("spec.postgres.hba[0]: ")) << line;
  }
  EXPECT_NE(warned("host all all all trust"), warned("hostssl all all all trust"));
  for (const char* line :
       {"host all all all scram-sha-256", "hostssl all all all ldap ldapserver=x", "hostssl trust all all reject",
        "hostssl all trust all reject", "hostssl all all all reject"})
    EXPECT_TRUE(warned(line).empty()) << line;
}

TEST(HbaLines, FingerprintsTellOrderAndBounds) {
  EXPECT_NE(hba_fingerprint({"a", "b"}), hba_fingerprint({"b", "a"}));
  EXPECT_NE(hba_fingerprint({"ab"}), hba_fingerprint({"a", "b"}));
  EXPECT_NE(hba_fingerprint({}), hba_fingerprint({""}));
}

}  // namespace
}  // namespace twinspan::api
