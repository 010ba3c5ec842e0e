#include "engines/postgres/custom_query.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace twinspan::postgres {
namespace {

const CustomQuery kQuery{"shop",
                         "SELECT state, count(*) AS n FROM orders GROUP BY 1 ;\n",
                         {"state"},
                         {"n", "max_age"},
                         std::chrono::seconds(5)};

TEST(CustomQuery, IsSentAsASubqueryWithABoundedAnswer) {
  EXPECT_EQ(statement_of(kQuery),
            "SELECT left(q.\"state\"::text, 256), q.\"n\"::float8, q.\"max_age\"::float8 FROM (\n"
            "SELECT state, count(*) AS n FROM orders GROUP BY 1\n) AS q LIMIT 1001");
}

TEST(CustomQuery, RowsBecomeLabelsAndNumbersAndNullIsNoNumber) {
  const auto rows = custom_rows({{"open", "3", std::nullopt}, {std::nullopt, "1.5e3", "NaN"}}, kQuery);
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[0], (CustomRow{{"open"}, {3.0, std::nullopt}}));
  EXPECT_EQ((*rows)[1].labels, std::vector<std::string>{""});
  EXPECT_EQ((*rows)[1].values[0], 1500.0);
  EXPECT_TRUE(std::isnan(*(*rows)[1].values[1]));
  EXPECT_TRUE(custom_rows({}, kQuery)->empty());
}

// What is no UTF-8, or comes twice, would make Prometheus refuse all of the pod's metrics.
TEST(CustomQuery, WhatPrometheusWouldRefuseIsAnErrorOfTheQuery) {
  EXPECT_EQ(custom_rows({{"open", "1", "1"}, {"open", "2", "2"}}, kQuery).error().code, Code::kInvalid);
  EXPECT_EQ(custom_rows({{"a\xff", "1", "1"}, {"a", "2", "2"}}, kQuery).error().code, Code::kInvalid)
      << "the same once they are cleaned";
  EXPECT_EQ((*custom_rows({{"a\nb\xff", "1", "1"}}, kQuery))[0].labels[0], "a b");
  CustomQuery without = kQuery;
  without.labels.clear();
  EXPECT_TRUE(custom_rows({{"1", "2"}}, without));
  EXPECT_NE(custom_rows({{"1", "2"}, {"3", "4"}}, without).error().message.find("no labels"), std::string::npos);
  Rows many;
  for (size_t i = 0; i < kCustomRowsMost; ++i) many.push_back({std::to_string(i), "1", "1"});
  EXPECT_TRUE(custom_rows(many, kQuery));
  many.push_back({"one more", "1", "1"});
  EXPECT_NE(custom_rows(many, kQuery).error().message.find("more than 1000 rows"), std::string::npos);
}

}  // namespace
}  // namespace twinspan::postgres
