#include "sandbox/demo/connection.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include "sandbox/demo/writer.hpp"

namespace twinspan::sandbox {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

// False where the deadline passed first.
bool wait_on(int socket, short events, SteadyTime deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd watched{socket, events, 0};
    const int ready = poll(&watched, 1, static_cast<int>(left));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

std::string first_line(const char* text) {
  const std::string all = text == nullptr ? "" : text;
  return all.substr(0, all.find('\n'));
}

}  // namespace

void ConnectionDeleter::operator()(pg_conn* connection) const { PQfinish(connection); }
void QueryResultDeleter::operator()(pg_result* result) const { PQclear(result); }

Result<Connection> connect(const WriterTarget& target) {
  const std::string port = std::to_string(target.port);
  const char* const names[] = {"hostaddr", "port",    "dbname",           "user",
                               "password", "sslmode", "application_name", nullptr};
  const char* const values[] = {target.host.c_str(),     port.c_str(),
                                target.database.c_str(), target.user.c_str(),
                                target.password.c_str(), target.ssl_mode.c_str(),
                                "twinspan-demo",         nullptr};
  const SteadyTime deadline = std::chrono::steady_clock::now() + target.connect_timeout;
  Connection connection(PQconnectStartParams(names, values, 0));
  if (!connection) return fail(Code::kInternal, "libpq: out of memory");
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED || PQstatus(connection.get()) == CONNECTION_BAD)
      return fail(Code::kUnavailable, first_line(PQerrorMessage(connection.get())));
    if (!wait_on(PQsocket(connection.get()), state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline))
      return fail(Code::kTimeout, fmt::format("no connection to {}:{} within {} ms", target.host, target.port,
                                              target.connect_timeout.count()));
    state = PQconnectPoll(connection.get());
  }
  PQsetNoticeProcessor(
      connection.get(), [](void*, const char*) {}, nullptr);
  return connection;
}

Result<QueryResult> query(pg_conn* connection, const std::string& sql, const std::vector<std::string>& parameters,
                          std::chrono::milliseconds patience) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + patience;
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  if (PQsendQueryParams(connection, sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr,
                        nullptr, 0) != 1)
    return fail(Code::kUnavailable, first_line(PQerrorMessage(connection)));
  QueryResult last;
  while (true) {
    while (PQisBusy(connection) == 1) {
      if (!wait_on(PQsocket(connection), POLLIN, deadline))
        return fail(Code::kTimeout, fmt::format("no answer within {} ms", patience.count()));
      if (PQconsumeInput(connection) != 1) return fail(Code::kUnavailable, first_line(PQerrorMessage(connection)));
    }
    QueryResult next(PQgetResult(connection));
    if (!next) break;
    const ExecStatusType status = PQresultStatus(next.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
      return fail(Code::kUnavailable, first_line(PQresultErrorMessage(next.get())));
    last = std::move(next);
  }
  if (!last || PQstatus(connection) == CONNECTION_BAD) return fail(Code::kUnavailable, "the connection was lost");
  return last;
}

}  // namespace twinspan::sandbox
