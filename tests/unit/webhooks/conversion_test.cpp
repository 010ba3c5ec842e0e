// Objects of one version as another, as the API server asks for them.
#include "webhooks/conversion.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "webhooks/handler.hpp"

namespace twinspan::webhooks {
namespace {

Json link(const std::string& name, const std::string& version) {
  return {{"apiVersion", "twinspan.dev/" + version},
          {"kind", "ReplicationLink"},
          {"metadata", {{"name", name}, {"namespace", "shop"}, {"uid", name + "-uid"}}},
          {"spec", {{"old", {{"seconds", 7}}}, {"kept", "a"}}},
          {"status", {{"epoch", 3}}}};
}
std::string review(Json objects, const std::string& to) {
  return Json{
      {"apiVersion", "apiextensions.k8s.io/v1"},
      {"kind", "ConversionReview"},
      {"request", {{"uid", "u1"}, {"desiredAPIVersion", "twinspan.dev/" + to}, {"objects", std::move(objects)}}}}
      .dump();
}
const Conversions kRenamed = {{"ReplicationLink", "v1alpha1", "v1beta1",
                               [](Json& object) {
                                 object["spec"]["new"] = object["spec"]["old"];
                                 object["spec"].erase("old");
                               }},
                              {"ReplicationLink", "v1beta1", "v1", {}}};

TEST(Conversion, AnswersEveryObjectInItsOrder) {
  const auto answer =
      convert(review({link("b", "v1alpha1"), link("a", "v1beta1"), link("c", "v1alpha1")}, "v1beta1"), kRenamed);
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)["kind"], "ConversionReview");
  EXPECT_EQ((*answer)["apiVersion"], "apiextensions.k8s.io/v1");
  const Json& response = (*answer)["response"];
  EXPECT_EQ(response["uid"], "u1");
  EXPECT_EQ(response["result"]["status"], "Success");
  Json b = link("b", "v1beta1"), c = link("c", "v1beta1");
  for (Json* one : {&b, &c}) (*one)["spec"] = {{"new", {{"seconds", 7}}}, {"kept", "a"}};
  EXPECT_EQ(response["convertedObjects"], Json({b, link("a", "v1beta1"), c}));
}

TEST(Conversion, OfTheSameSchemaChangesTheVersionAlone) {
  const auto answer = convert(review({link("a", "v1beta1")}, "v1"), kRenamed);
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)["response"]["convertedObjects"], Json({link("a", "v1")}));
}

TEST(Conversion, OfNothingIsASuccess) {
  const auto answer = convert(review(Json::array(), "v1beta1"), {});
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer)["response"]["result"]["status"], "Success");
}

TEST(Conversion, ThatIsNotKnownFailsAsAWholeAndNamesTheVersions) {
  const auto message = [](const std::string& body, const Conversions& known) {
    const auto answer = convert(body, known);
    EXPECT_EQ((*answer)["response"]["result"]["status"], "Failure");
    EXPECT_TRUE((*answer)["response"]["convertedObjects"].empty());
    return text_of((*answer)["response"]["result"], "message");
  };
  EXPECT_EQ(message(review({link("a", "v1alpha1"), link("b", "v9")}, "v1beta1"), kRenamed),
            "ReplicationLink shop/b: can't be made twinspan.dev/v1beta1 of twinspan.dev/v9: this version of Twinspan "
            "knows v1alpha1, v1beta1, v1");
  EXPECT_EQ(message(review({link("a", "v1alpha1")}, "v1beta1"), {}),
            "ReplicationLink shop/a: can't be made twinspan.dev/v1beta1 of twinspan.dev/v1alpha1: this version of "
            "Twinspan knows v1alpha1");
  Json foreign = link("a", "v1alpha1");
  foreign["apiVersion"] = "example.com/v1beta1";
  EXPECT_NE(message(review({foreign}, "v1beta1"), kRenamed).find("of example.com/v1beta1"), std::string::npos);
  Json other = link("a", "v1alpha1");
  other["kind"] = "Backup";
  EXPECT_NE(message(review({other}, "v1beta1"), kRenamed).find("Backup shop/a"), std::string::npos);
}

TEST(Conversion, OfWhatIsNoReviewNamesTheField) {
  const Json right = Json::parse(review({link("a", "v1alpha1")}, "v1beta1"));
  const std::vector<std::tuple<std::string, Json, std::string>> table = {
      {"/apiVersion", "v1", "apiVersion"},
      {"/kind", "AdmissionReview", "kind"},
      {"/request", nullptr, "request.uid"},
      {"/request/uid", "", "request.uid"},
      {"/request/desiredAPIVersion", "example.com/v1", "request.desiredAPIVersion"},
      {"/request/objects", "all", "request.objects"},
      {"/request/objects/0", "one", "request.objects"}};
  for (const auto& [where, value, named] : table) {
    Json wrong = right;
    wrong[Json::json_pointer(where)] = value;
    const auto answer = convert(wrong.dump(), kRenamed);
    ASSERT_FALSE(answer) << where;
    EXPECT_TRUE(answer.error().message.starts_with(named + ": ")) << answer.error().message;
  }
  EXPECT_FALSE(convert("{", kRenamed));
}

TEST(Conversion, OverHttpIsAPost) {
  net::IncomingRequest request;
  request.path = kConvertPath;
  request.method = "GET";
  EXPECT_EQ(handle_conversion(request, {}).status, 405);
  request.method = "POST";
  EXPECT_EQ(handle_conversion(request, {}).status, 400);
  request.body = review({link("a", "v1alpha1")}, "v1alpha1");
  const auto answer = handle_conversion(request, {});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(Json::parse(answer.body)["response"]["convertedObjects"], Json({link("a", "v1alpha1")}));
}

}  // namespace
}  // namespace twinspan::webhooks
