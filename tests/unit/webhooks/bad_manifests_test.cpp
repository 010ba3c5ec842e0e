// Every manifest of tests/bad_manifests is refused by the webhook's verdict with the field named, given what its former
// documents made; tests/webhooks/run sees the same on a real API server.
#include <gtest/gtest.h>

#include <filesystem>

#include "manifest_review.hpp"
#include "tests/places.hpp"
#include "webhooks/judge.hpp"

namespace twinspan::webhooks {
namespace {

struct World {
  std::vector<Json> objects;

  const Json* find(const Json& like) const {
    for (const Json& one : objects)
      if (one["kind"] == like["kind"] && one["metadata"]["name"] == like["metadata"]["name"]) return &one;
    return nullptr;
  }
  Verdict judge(const Json& object) const {
    const Json* old = find(object);
    const Review review = review_of(object, old ? *old : Json());
    std::vector<api::ReplicationLink> links;
    std::vector<api::FailoverPolicy> policies;
    for (const Json& one : objects) {
      if (&one == old) continue;
      if (auto link = api::parse_replication_link(one); one["kind"] == "ReplicationLink" && link)
        links.push_back(*link);
      if (auto policy = api::parse_failover_policy(one); one["kind"] == "FailoverPolicy" && policy)
        policies.push_back(*policy);
    }
    if (object["kind"] == "ReplicationLink") return judge_link(review, {links, links, {}});
    if (object["kind"] == "BackupSchedule") return judge_schedule(review);
    BesidePolicy beside;
    const std::string wanted = text_of(member_of(member_of(object, "spec"), "linkRef"), "name");
    for (const auto& link : links)
      if (link.metadata.name == wanted) beside.link = link;
    beside.rivals = policies;
    return judge_policy(review, beside);
  }
};

TEST(BadManifestsAtAdmission, AreRefusedWithTheFieldNamed) {
  for (const auto& path : test::bad_manifests()) {
    SCOPED_TRACE(path.filename());
    const std::string text = test::read_text(path), field = test::header(text, "expect-field");
    World world;
    std::vector<Json> documents = test::read_manifests(path);
    // The others are refused by their schemas and CEL, before a webhook would be asked.
    if (const Json& kind = documents.back()["kind"]; kind == "Backup" || kind == "Restore") continue;
    for (size_t i = 0; i < documents.size(); ++i) {
      Json& document = documents[i];
      document["metadata"]["creationTimestamp"] = "2026-01-01T00:0" + std::to_string(i) + ":00Z";
      const Verdict verdict = world.judge(document);
      if (i + 1 < documents.size()) {
        EXPECT_TRUE(verdict.errors.empty()) << api::to_string(verdict.errors);
        world.objects.push_back(document);
        continue;
      }
      if (test::header(text, "webhook") == "warns") {
        EXPECT_TRUE(verdict.errors.empty());
        EXPECT_TRUE(std::any_of(verdict.warnings.begin(), verdict.warnings.end(),
                                [&](const std::string& one) { return one.starts_with(field + ": "); }));
        continue;
      }
      EXPECT_FALSE(verdict.errors.empty());
      EXPECT_TRUE(std::any_of(verdict.errors.begin(), verdict.errors.end(), [&](const api::FieldError& one) {
        return one.field == field;
      })) << api::to_string(verdict.errors);
      for (const api::FieldError& error : verdict.errors) EXPECT_FALSE(error.message.empty()) << error.field;
    }
  }
}

TEST(ExamplesAtAdmission, AreAdmitted) {
  for (const auto& entry : std::filesystem::directory_iterator(test::in_source("/examples"))) {
    World world;
    for (Json document : test::read_manifests(entry.path())) {
      if (document["kind"] != "ReplicationLink" && document["kind"] != "FailoverPolicy") continue;
      EXPECT_EQ(api::to_string(world.judge(document).errors), "") << entry.path();
      world.objects.push_back(document);
    }
  }
}

}  // namespace
}  // namespace twinspan::webhooks
