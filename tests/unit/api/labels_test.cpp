#include "api/labels.hpp"

#include <gtest/gtest.h>

#include "api/pod_template.hpp"

namespace twinspan::api {
namespace {

TEST(Labels, KeysAreQualifiedNames) {
  const std::string long_name(63, 'a'), long_prefix = "p." + std::string(251, 'a');
  for (const std::string& good :
       {std::string("a"), std::string("team"), std::string("Team_1.x-y"), std::string("example.com/team"),
        std::string("a/b"), long_name, std::string(63, 'a') + "/" + long_name})
    EXPECT_TRUE(is_qualified_name(good)) << good;
  for (const std::string& bad :
       {std::string(""), std::string("-a"), std::string("a-"), std::string("a b"), std::string("a/"), std::string("/a"),
        std::string("a/b/c"), std::string("Example.com/a"), std::string("a..b/c"), std::string("-a.b/c"),
        std::string("\u00e4"), long_name + "a", long_prefix + "a/b"})
    EXPECT_FALSE(is_qualified_name(bad)) << bad;
}

TEST(Labels, ValuesAreShortNamesOrNothing) {
  for (const std::string& good : {std::string(""), std::string("a"), std::string("A_b.c-1"), std::string(63, '1')})
    EXPECT_TRUE(is_label_value(good)) << good;
  for (const std::string& bad :
       {std::string("a b"), std::string("-"), std::string("a."), std::string("a/b"), std::string(64, '1')})
    EXPECT_FALSE(is_label_value(bad)) << bad;
}

std::string refused(void (*check)(const std::map<std::string, std::string>&, const MapField&, std::vector<FieldError>&),
                    const std::map<std::string, std::string>& added) {
  std::vector<FieldError> errors;
  check(
      added, [](const auto&) { return "at"; }, errors);
  std::string out;
  for (const FieldError& error : errors) out += error.field + " ";
  return out;
}

TEST(Labels, OursAreNotToBeHad) {
  EXPECT_EQ(refused(check_added_labels, {{"twinspan.dev/link", "a"}, {"app.kubernetes.io/name", "b"}, {"app", "c"}}),
            "at[twinspan.dev/link] at[app.kubernetes.io/name] ");
  EXPECT_EQ(refused(check_added_annotations, {{"twinspan.dev/hash", "a"}, {"app.kubernetes.io/name", "b"}}),
            "at[twinspan.dev/hash] ");
}

TEST(Labels, AnnotationsMayHoldAnythingWithinBounds) {
  EXPECT_EQ(refused(check_added_annotations, {{"Example.com/A", "{\"a\": 1}\n"}}), "");
  EXPECT_EQ(refused(check_added_annotations, {{"a b", ""}}), "at[a b] ");
  EXPECT_EQ(refused(check_added_annotations, {{"a", std::string(192 << 10, 'a')}}), "at ");
}

TEST(PodTemplate, VariablesThatAnybodyOfOursActsUponAreReserved) {
  for (const char* name : {"TWINSPAN_X", "PGDATA", "PGBACKREST_STANZA", "LD_PRELOAD", "KUBERNETES_SERVICE_HOST",
                           "KUBECONFIG", "POD_NAME", "POD_UID", "POD_IP", "LC_ALL", "TZ", "PATH", "HOME"})
    EXPECT_TRUE(is_reserved_variable(name)) << name;
  for (const char* name : {"MALLOC_ARENA_MAX", "HTTPS_PROXY", "OPENSSL_CONF", "pgdata", "MY_PGDATA", "POD_NAMES", "L"})
    EXPECT_FALSE(is_reserved_variable(name)) << name;
}

}  // namespace
}  // namespace twinspan::api
