// SQL through libpq. Every call ends by its deadline or as soon as `stop` is set, whatever the server does: nothing
// here blocks in libpq. The server itself ends a statement whose client is gone (client_connection_check_interval), so
// that cancelling is closing.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

struct pg_conn;

namespace twinspan::postgres {

using Row = std::vector<std::optional<std::string>>;
using Rows = std::vector<Row>;

// One connection; one thread at a time. After an error of code kUnavailable, kTimeout or kCancelled it is closed.
class Session {
 public:
  static Result<Session> open(const std::string& conninfo, std::chrono::milliseconds timeout,
                              const std::stop_token& stop = {});
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  // Parameters are sent apart from the text ($1 …). An error of the server keeps its message; kAlreadyExists and
  // kNotFound by SQLSTATE.
  Result<Rows> query(const std::string& sql, const std::vector<std::string>& parameters,
                     std::chrono::milliseconds timeout, const std::stop_token& stop = {});
  // Several statements, or a command of the replication protocol; the last result's rows.
  Result<Rows> simple(const std::string& sql, std::chrono::milliseconds timeout, const std::stop_token& stop = {});
  bool alive() const { return connection_ != nullptr; }

  std::string identifier(std::string_view name) const;  // quoted
  std::string literal(std::string_view text) const;     // quoted
  // What the server stores for this password: computed here, so that the password itself never travels or gets logged.
  Result<std::string> scram_verifier(const std::string& role, const std::string& password) const;

 private:
  struct Close {
    void operator()(pg_conn* connection) const;
  };
  explicit Session(pg_conn* connection) : connection_(connection) {}
  Result<Rows> collect(std::chrono::milliseconds timeout, const std::stop_token& stop);

  std::unique_ptr<pg_conn, Close> connection_;
};

}  // namespace twinspan::postgres
