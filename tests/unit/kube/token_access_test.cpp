// Who is let in by a token, and for how long an answer is believed.
#include "kube/token_access.hpp"

#include "fake_api.hpp"

namespace twinspan::kube::testing {
namespace {

// The cluster's rules as a test sets them.
struct TokenAccessTest : ::testing::Test {
  Result<Json> review(std::string_view path, Json review) {
    ++asked;
    if (away) return fail(Code::kUnavailable, "connection refused");
    if (path.ends_with("tokenreviews")) {
      EXPECT_EQ(path, "/apis/authentication.k8s.io/v1/tokenreviews");
      EXPECT_EQ(review["kind"], "TokenReview");
      review["status"] = identities.value(review["spec"]["token"].get<std::string>(), Json::object());
    } else {
      EXPECT_EQ(path, "/apis/authorization.k8s.io/v1/subjectaccessreviews");
      EXPECT_EQ(review["kind"], "SubjectAccessReview");
      last_spec = review["spec"];
      review["status"] = verdict;
    }
    return review;
  }
  // "allowed", "forbidden", "unknown" or the error's code.
  std::string ask(const std::string& token) {
    const auto answer = access.may_get("/metrics", token, {});
    if (!answer) return std::string(to_string(answer.error().code));
    return *answer == Access::kAllowed ? "allowed" : *answer == Access::kForbidden ? "forbidden" : "unknown";
  }

  FakeClock clock;
  int asked = 0;
  bool away = false;
  const Json prometheus = {{"username", "system:serviceaccount:monitoring:prometheus"},
                           {"uid", "7"},
                           {"groups", {"system:serviceaccounts"}},
                           {"extra", {{"pod-name", {"prometheus-0"}}}}};
  Json identities = {{"good", {{"authenticated", true}, {"user", prometheus}}},
                     {"nameless", {{"authenticated", true}, {"user", Json::object()}}},
                     {"statusless", nullptr}};
  Json verdict = {{"allowed", true}};
  Json last_spec;
  TokenAccess access{clock, [this](std::string_view path, const Json& object, const std::stop_token&) {
                       return review(path, object);
                     }};
};

TEST_F(TokenAccessTest, AsksForTheWholeUserAndThePathAlone) {
  EXPECT_EQ(ask("good"), "allowed");
  EXPECT_EQ(last_spec, Json({{"user", prometheus["username"]},
                             {"uid", "7"},
                             {"groups", prometheus["groups"]},
                             {"extra", prometheus["extra"]},
                             {"nonResourceAttributes", {{"path", "/metrics"}, {"verb", "get"}}}}));
}

// Everything that the two reviews can say: allowed only where both say so.
TEST_F(TokenAccessTest, LetsInExactlyWhoIsKnownAndAllowed) {
  int case_number = 0;
  for (const Json& identity : {Json(nullptr), Json::object(), Json{{"error", "invalid bearer token"}},
                               Json{{"authenticated", false}}, Json{{"authenticated", "true"}},
                               Json{{"authenticated", true}}, Json{{"authenticated", true}, {"user", prometheus}}})
    for (const Json& said :
         {Json(nullptr), Json::object(), Json{{"allowed", "true"}}, Json{{"allowed", false}}, Json{{"allowed", true}},
          Json{{"allowed", true}, {"denied", true}}, Json{{"allowed", false}, {"denied", true}}}) {
      const std::string token = "t" + std::to_string(case_number++);
      identities[token] = identity;
      verdict = said;
      const bool authenticated = identity.is_object() && identity.value("authenticated", Json()) == true;
      std::string wanted = "unknown";
      if (!identity.is_object() || (authenticated && !identity.contains("user")))
        wanted = to_string(Code::kUnavailable);
      else if (authenticated)
        wanted = !said.is_object() || !said.value("allowed", Json()).is_boolean() ? to_string(Code::kUnavailable)
                 : said == Json{{"allowed", true}}                                ? "allowed"
                                                                                  : "forbidden";
      EXPECT_EQ(ask(token), wanted) << identity << said;
    }
}

TEST_F(TokenAccessTest, NoTokenIsNoQuestion) {
  EXPECT_EQ(ask(""), "unknown");
  EXPECT_EQ(asked, 0);
}

TEST_F(TokenAccessTest, AnAnswerIsBelievedForAWhileAndNoLonger) {
  EXPECT_EQ(ask("good"), "allowed");
  identities["good"] = Json::object();  // revoked
  away = true;                          // and nobody asked
  clock.advance(TokenAccess::kAllowedLife - milliseconds(1));
  EXPECT_EQ(ask("good"), "allowed");
  EXPECT_EQ(asked, 2);
  clock.advance(milliseconds(1));
  EXPECT_EQ(ask("good"), to_string(Code::kUnavailable));
  away = false;
  EXPECT_EQ(ask("good"), "unknown");
}

TEST_F(TokenAccessTest, ARefusalIsBelievedForLess) {
  verdict = {{"allowed", false}};
  EXPECT_EQ(ask("good"), "forbidden");
  EXPECT_EQ(ask("bad"), "unknown");
  const int before = asked;
  verdict = {{"allowed", true}};  // the role is bound
  clock.advance(TokenAccess::kRefusedLife - milliseconds(1));
  EXPECT_EQ(ask("good"), "forbidden");
  EXPECT_EQ(ask("bad"), "unknown");
  EXPECT_EQ(asked, before);
  clock.advance(milliseconds(1));
  EXPECT_EQ(ask("good"), "allowed");
}

TEST_F(TokenAccessTest, AnApiThatIsAwayIsAskedAgainAtOnce) {
  away = true;
  EXPECT_EQ(ask("good"), to_string(Code::kUnavailable));
  away = false;
  EXPECT_EQ(ask("good"), "allowed");
}

TEST_F(TokenAccessTest, OneTokensAnswerIsNoOthersNorAnotherPaths) {
  EXPECT_EQ(ask("good"), "allowed");
  EXPECT_EQ(ask("goo"), "unknown");
  verdict = {{"allowed", false}};
  EXPECT_EQ(*access.may_get("/debug", "good", {}), Access::kForbidden);
  EXPECT_EQ(ask("good"), "allowed");
}

TEST_F(TokenAccessTest, AFloodOfTokensDrivesNobodyOut) {
  EXPECT_EQ(ask("good"), "allowed");
  for (size_t i = 0; i < 3 * TokenAccess::kRememberedMost; ++i) ask("bad" + std::to_string(i));
  away = true;
  EXPECT_EQ(ask("good"), "allowed");
}

}  // namespace
}  // namespace twinspan::kube::testing
