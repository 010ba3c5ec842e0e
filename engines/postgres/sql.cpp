#include "engines/postgres/sql.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>

namespace twinspan::postgres {
namespace {

using ResultHandle = std::unique_ptr<PGresult, decltype([](PGresult* result) { PQclear(result); })>;

// Waits for a socket, a deadline or a stop, whichever comes first.
class Waiter {
 public:
  Waiter(std::chrono::milliseconds timeout, const std::stop_token& stop)
      : deadline_(std::chrono::steady_clock::now() + timeout),
        stop_(stop),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        on_stop_(stop, Raise{wake_}) {}
  ~Waiter() { close(wake_); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  Status wait(int fd, short events) const {
    for (;;) {
      if (stop_.stop_requested()) return fail(Code::kCancelled, "stopped");
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
      if (left.count() <= 0) return fail(Code::kTimeout, "the database did not answer in time");
      pollfd wanted[2] = {{fd, events, 0}, {wake_, POLLIN, 0}};
      if (poll(wanted, 2, static_cast<int>(left.count()) + 1) > 0 && wanted[0].revents != 0) return {};
    }
  }

 private:
  struct Raise {
    int fd;
    void operator()() const { eventfd_write(fd, 1); }
  };
  std::chrono::steady_clock::time_point deadline_;
  const std::stop_token& stop_;
  int wake_;
  std::stop_callback<Raise> on_stop_;
};

std::string trimmed(const char* message) {
  std::string text = message == nullptr ? "" : message;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  for (char& c : text)
    if (c == '\n') c = ' ';
  return text;
}

Rows rows_of(const PGresult* result) {
  Rows rows(static_cast<size_t>(PQntuples(result)));
  for (int r = 0; r < PQntuples(result); ++r) {
    Row& row = rows[static_cast<size_t>(r)];
    for (int c = 0; c < PQnfields(result); ++c) {
      if (PQgetisnull(result, r, c))
        row.emplace_back(std::nullopt);
      else
        row.emplace_back(std::string(PQgetvalue(result, r, c), static_cast<size_t>(PQgetlength(result, r, c))));
    }
  }
  return rows;
}

Error server_error(const PGresult* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string_view sqlstate = state == nullptr ? "" : state;
  Code code = Code::kInternal;
  if (sqlstate == "42710" || sqlstate == "42P04")
    code = Code::kAlreadyExists;  // duplicate_object, duplicate_database
  else if (sqlstate == "42704" || sqlstate == "58P01")
    code = Code::kNotFound;  // undefined_object, undefined_file
  else if (sqlstate.starts_with("57P0"))
    code = Code::kUnavailable;  // shutting down, starting up
  else if (sqlstate.starts_with("28") || sqlstate == "42501")
    code = Code::kDenied;
  else if (sqlstate == "57014")
    code = Code::kTimeout;  // query_canceled
  return fail(code, trimmed(PQresultErrorMessage(result))).error();
}

}  // namespace

void Session::Close::operator()(pg_conn* connection) const { PQfinish(connection); }
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::open(const std::string& conninfo, std::chrono::milliseconds timeout,
                              const std::stop_token& stop) {
  Session session(PQconnectStart(conninfo.c_str()));
  PGconn* connection = session.connection_.get();
  if (connection == nullptr) return fail(Code::kInternal, "out of memory");
  const Waiter waiter(timeout, stop);
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (PQstatus(connection) != CONNECTION_BAD && next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED) break;
    if (auto ready = waiter.wait(PQsocket(connection), next == PGRES_POLLING_READING ? POLLIN : POLLOUT); !ready)
      return std::unexpected(ready.error());
    next = PQconnectPoll(connection);
  }
  if (PQstatus(connection) != CONNECTION_OK) return fail(Code::kUnavailable, trimmed(PQerrorMessage(connection)));
  PQsetnonblocking(connection, 1);
  PQsetNoticeProcessor(
      connection, [](void*, const char*) {}, nullptr);
  return session;
}

Result<Rows> Session::query(const std::string& sql, const std::vector<std::string>& parameters,
                            std::chrono::milliseconds timeout, const std::stop_token& stop) {
  if (!connection_) return fail(Code::kUnavailable, "not connected");
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  if (PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(),
                        nullptr, nullptr, 0) == 0) {
    auto error = fail(Code::kUnavailable, trimmed(PQerrorMessage(connection_.get())));
    connection_.reset();
    return error;
  }
  return collect(timeout, stop);
}

Result<Rows> Session::simple(const std::string& sql, std::chrono::milliseconds timeout, const std::stop_token& stop) {
  if (!connection_) return fail(Code::kUnavailable, "not connected");
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0) {
    auto error = fail(Code::kUnavailable, trimmed(PQerrorMessage(connection_.get())));
    connection_.reset();
    return error;
  }
  return collect(timeout, stop);
}

Result<Rows> Session::collect(std::chrono::milliseconds timeout, const std::stop_token& stop) {
  PGconn* connection = connection_.get();
  const Waiter waiter(timeout, stop);
  const auto lost = [&](Error error) {
    connection_.reset();
    return std::unexpected(std::move(error));
  };
  for (;;) {  // everything out first
    const int left = PQflush(connection);
    if (left == 0) break;
    if (left < 0) return lost(fail(Code::kUnavailable, trimmed(PQerrorMessage(connection))).error());
    if (auto ready = waiter.wait(PQsocket(connection), POLLOUT | POLLIN); !ready) return lost(ready.error());
    PQconsumeInput(connection);
  }
  Rows rows;
  std::optional<Error> error;
  for (;;) {
    while (PQisBusy(connection) != 0) {
      if (auto ready = waiter.wait(PQsocket(connection), POLLIN); !ready) return lost(ready.error());
      if (PQconsumeInput(connection) == 0)
        return lost(fail(Code::kUnavailable, trimmed(PQerrorMessage(connection))).error());
    }
    const ResultHandle result(PQgetResult(connection));
    if (!result) break;
    switch (PQresultStatus(result.get())) {
      case PGRES_TUPLES_OK:
      case PGRES_SINGLE_TUPLE: rows = rows_of(result.get()); break;
      case PGRES_COMMAND_OK:
      case PGRES_EMPTY_QUERY: break;
      case PGRES_FATAL_ERROR:
        if (!error) error = server_error(result.get());
        break;
      default: return lost(fail(Code::kInternal, "the server wants to copy data").error());
    }
    if (PQstatus(connection) == CONNECTION_BAD)
      return lost(error ? Error{Code::kUnavailable, error->message, true}
                        : fail(Code::kUnavailable, trimmed(PQerrorMessage(connection))).error());
  }
  if (error) return std::unexpected(*error);
  return rows;
}

std::string Session::identifier(std::string_view name) const {
  if (!connection_) return "";
  char* quoted = PQescapeIdentifier(connection_.get(), name.data(), name.size());
  const std::string text = quoted == nullptr ? "" : quoted;
  PQfreemem(quoted);
  return text;
}

std::string Session::literal(std::string_view value) const {
  if (!connection_) return "";
  char* quoted = PQescapeLiteral(connection_.get(), value.data(), value.size());
  const std::string text = quoted == nullptr ? "" : quoted;
  PQfreemem(quoted);
  return text;
}

Result<std::string> Session::scram_verifier(const std::string& role, const std::string& password) const {
  if (!connection_) return fail(Code::kUnavailable, "not connected");
  char* made = PQencryptPasswordConn(connection_.get(), password.c_str(), role.c_str(), "scram-sha-256");
  if (made == nullptr) return fail(Code::kInternal, "the password could not be hashed");
  std::string verifier = made;
  PQfreemem(made);
  return verifier;
}

}  // namespace twinspan::postgres
