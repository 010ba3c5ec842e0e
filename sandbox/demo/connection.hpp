// A libpq connection whose every wait has a deadline: libpq's own connect_timeout counts in whole seconds and at least
// two.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/result.hpp"

struct pg_conn;
struct pg_result;

namespace twinspan::sandbox {

struct WriterTarget;

struct ConnectionDeleter {
  void operator()(pg_conn* connection) const;
};
struct QueryResultDeleter {
  void operator()(pg_result* result) const;
};
using Connection = std::unique_ptr<pg_conn, ConnectionDeleter>;
using QueryResult = std::unique_ptr<pg_result, QueryResultDeleter>;

Result<Connection> connect(const WriterTarget& target);
// kTimeout leaves the connection unusable: drop it. Any error the server reports is kUnavailable with its message.
Result<QueryResult> query(pg_conn* connection, const std::string& sql, const std::vector<std::string>& parameters,
                          std::chrono::milliseconds patience);

}  // namespace twinspan::sandbox
