// Every manifest of tests/bad_manifests is refused by the generated parser or by validate, with the field named. Which
// of them the API server refuses by itself is what e2e/scenarios/test_80_bad_input.py finds out on a real one.
#include <gtest/gtest.h>

#include <filesystem>

#include "api/accepted.hpp"
#include "api/validate.hpp"
#include "manifest.hpp"
#include "tests/places.hpp"

namespace twinspan::api {
namespace {

struct Refusal {
  std::vector<std::string> fields;
  std::string text;
};

std::string field_of(const std::string& message) { return message.substr(0, message.find(": ")); }

void add(Refusal& refusal, const std::vector<FieldError>& errors) {
  for (const FieldError& error : errors) {
    refusal.fields.push_back(error.field);
    EXPECT_FALSE(error.message.empty()) << error.field;
  }
  refusal.text += to_string(errors);
}

// Applies the documents in order, as if each came a minute after the other; what is said of the last one counts.
Refusal judge(const std::vector<Json>& documents) {
  Refusal refusal;
  std::vector<ReplicationLink> links;
  std::vector<FailoverPolicy> policies;
  for (size_t i = 0; i < documents.size(); ++i) {
    const bool last = i + 1 == documents.size();
    Json document = documents[i];
    document["metadata"]["creationTimestamp"] = "2026-01-01T00:0" + std::to_string(i) + ":00Z";
    const auto refuse = [&](const Error& error) {
      EXPECT_EQ(error.code, Code::kInvalid);
      EXPECT_TRUE(last) << "only the last document may be wrong: " << error.message;
      refusal.fields.push_back(field_of(error.message));
      refusal.text = error.message;
    };
    if (document["kind"] == "ReplicationLink") {
      const auto link = parse_replication_link(document);
      if (!link) {
        refuse(link.error());
        continue;
      }
      const auto former = std::find_if(links.begin(), links.end(),
                                       [&](const auto& l) { return l.metadata.name == link->metadata.name; });
      if (!last) {
        EXPECT_EQ(to_string(validate(*link, links)), "");
      } else {
        if (former != links.end()) add(refusal, validate_change(*former, *link));
        add(refusal, validate(*link, links));
      }
      links.push_back(*link);
    } else if (document["kind"] == "BackupSchedule") {
      const auto schedule = parse_backup_schedule(document);
      schedule ? add(refusal, validate(*schedule)) : refuse(schedule.error());
    } else if (document["kind"] == "Backup") {
      const auto backup = parse_backup(document);
      if (!backup) refuse(backup.error());
    } else if (document["kind"] == "Restore") {
      const auto restore = parse_restore(document);
      restore ? add(refusal, validate(*restore)) : refuse(restore.error());
    } else {
      const auto policy = parse_failover_policy(document);
      if (!policy) {
        refuse(policy.error());
        continue;
      }
      const auto link = std::find_if(links.begin(), links.end(),
                                     [&](const auto& l) { return l.metadata.name == policy->spec.link_ref.name; });
      const auto former = std::find_if(policies.begin(), policies.end(),
                                       [&](const auto& p) { return p.metadata.name == policy->metadata.name; });
      if (last) {
        if (former != policies.end()) add(refusal, validate_change(*former, *policy));
        add(refusal, validate(*policy, link == links.end() ? nullptr : &*link, policies));
      }
      policies.push_back(*policy);
    }
  }
  return refusal;
}

class BadManifest : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(BadManifest, IsRefusedWithTheFieldNamed) {
  const std::string text = test::read_text(GetParam());
  const std::string expected = test::header(text, "expect-field"), layer = test::header(text, "refused-by");
  ASSERT_FALSE(expected.empty()) << "no header expect-field";
  ASSERT_TRUE(layer == "schema" || layer == "cel" || layer == "reconciler") << layer;
  const Refusal refusal = judge(test::read_manifests(GetParam()));
  EXPECT_NE(std::find(refusal.fields.begin(), refusal.fields.end(), expected), refusal.fields.end())
      << "expected " << expected << ", got: " << (refusal.text.empty() ? "accepted" : refusal.text);
}

std::string label(const testing::TestParamInfo<std::filesystem::path>& info) {
  std::string name = info.param.stem();
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, BadManifest, testing::ValuesIn(test::bad_manifests()), label);

TEST(BadManifests, AreAtLeastThirtyFive) { EXPECT_GE(test::bad_manifests().size(), 35u); }

TEST(Examples, AreAcceptedAndCanBeReadAgainAsTheyWereAccepted) {
  for (const auto& entry : std::filesystem::directory_iterator(test::in_source("/examples"))) {
    std::vector<ReplicationLink> links;
    for (const Json& document : test::read_manifests(entry.path())) {
      if (document["kind"] == "ReplicationLink") {
        const auto link = parse_replication_link(document);
        ASSERT_TRUE(link) << entry.path() << ": " << link.error().message;
        EXPECT_EQ(to_string(validate(*link, links)), "") << entry.path();
        // status.accepted is written by one program and read by others.
        const auto again = parse_link_spec(to_json(link->spec));
        ASSERT_TRUE(again) << entry.path() << ": " << again.error().message;
        EXPECT_TRUE(*again == link->spec) << entry.path();
        EXPECT_TRUE(is_accepted_as(accept(link->spec, 1).spec, link->spec)) << entry.path();
        links.push_back(*link);
      } else if (document["kind"] == "FailoverPolicy") {
        const auto policy = parse_failover_policy(document);
        ASSERT_TRUE(policy) << entry.path() << ": " << policy.error().message;
        ASSERT_FALSE(links.empty());
        EXPECT_EQ(to_string(validate(*policy, &links.back(), {})), "") << entry.path();
        const auto again = parse_policy_spec(to_json(policy->spec));
        ASSERT_TRUE(again) << entry.path() << ": " << again.error().message;
        EXPECT_TRUE(*again == policy->spec) << entry.path();
        EXPECT_TRUE(is_accepted_as(accept(policy->spec, 1).spec, policy->spec)) << entry.path();
      }
    }
  }
}

}  // namespace
}  // namespace twinspan::api
