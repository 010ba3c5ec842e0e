// People's queries for metrics. Each is one SELECT, asked in a session of its own by a role that is no superuser, in a
// transaction that can't write and is never committed, for a bounded time and a bounded answer.
#pragma once
#include <chrono>
#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/sql.hpp"

namespace twinspan::postgres {

inline constexpr size_t kCustomRowsMost = 1000;

struct CustomQuery {
  std::string database, text;
  std::vector<std::string> labels, values;  // columns; small letters, digits and _
  std::chrono::seconds timeout{5};
};

struct CustomRow {
  std::vector<std::string> labels;            // as the query's; empty where it is NULL
  std::vector<std::optional<double>> values;  // nullopt: NULL
  bool operator==(const CustomRow&) const = default;
};

// What is sent: the text as a subquery, which PostgreSQL lets be nothing but a SELECT. Pure.
std::string statement_of(const CustomQuery& query);
// kInvalid: too many rows, or two with the same labels. Pure.
Result<std::vector<CustomRow>> custom_rows(const Rows& rows, const CustomQuery& query);

// kUnavailable: nobody gets in. Any other error is of the query. Ends within its timeout and two seconds.
Result<std::vector<CustomRow>> ask(const Layout& layout, int port, const CustomQuery& query,
                                   const std::stop_token& stop = {});

// The role that asks, on a primary: it may read statistics (pg_monitor), and whatever people grant it.
Status ensure_metrics_role(Session& session, const std::stop_token& stop = {});

}  // namespace twinspan::postgres
