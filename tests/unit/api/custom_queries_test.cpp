// What tests/bad_manifests does not reach of spec.postgres.metrics.queries.
#include "api/custom_queries.hpp"

#include <gtest/gtest.h>

namespace twinspan::api {
namespace {

CustomQuery query(std::string name, std::vector<std::string> labels, std::vector<std::string> columns) {
  CustomQuery one;
  one.name = std::move(name);
  one.labels = std::move(labels);
  for (std::string& column : columns) one.values.emplace_back().column = std::move(column);
  return one;
}
std::vector<std::string> fields(const std::vector<CustomQuery>& queries) {
  std::vector<FieldError> errors;
  check_queries(queries, errors);
  std::vector<std::string> names;
  for (const FieldError& error : errors) names.push_back(error.field);
  return names;
}
using Names = std::vector<std::string>;

TEST(CustomQueryRules, NamesThatDifferAreAllowed) {
  EXPECT_EQ(fields({query("orders", {"state", "job"}, {"n", "age"}), query("orders_open", {}, {"n"}),
                    query("_", {}, {"n"}), query("query", {}, {"ok"})}),
            Names());
}

TEST(CustomQueryRules, OneMetricIsMadeOnce) {
  EXPECT_EQ(fields({query("a", {}, {"x", "b_c"}), query("a_b", {}, {"c"})}),
            Names{"spec.postgres.metrics.queries[1].values[0].column"});
  EXPECT_EQ(fields({query("query", {}, {"failed"})}), Names{"spec.postgres.metrics.queries[0].values[0].column"});
}

TEST(CustomQueryRules, LabelsAreNeitherReservedNorValues) {
  for (const char* label : {"namespace", "link", "endpoint", "__name__", "n"})
    EXPECT_EQ(fields({query("orders", {"state", label}, {"n"})}), Names{"spec.postgres.metrics.queries[0].labels[1]"})
        << label;
}

}  // namespace
}  // namespace twinspan::api
