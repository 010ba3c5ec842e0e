#include "sandbox/demo/writer.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include "core/wait.hpp"
#include "sandbox/demo/connection.hpp"

namespace twinspan::sandbox {
namespace {

// Who asks once asks until there is an answer: the writer's patience for one connection is short.
Result<Connection> connect_patiently(const WriterTarget& target) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (true) {
    auto connection = connect(target);
    if (connection || std::chrono::steady_clock::now() > until) return connection;
    wait_for(std::chrono::milliseconds(100), {});
  }
}

}  // namespace

struct Writer::Impl {
  WriterTarget target;
  const Clock& clock;
  mutable std::mutex mutex;
  std::condition_variable_any changed;
  WriterFigures figures;
  std::vector<int64_t> numbers;
  int64_t next = 0;
  std::jthread thread;

  void note_failure(const Error& error) {
    std::lock_guard lock(mutex);
    figures.failed += 1;
    figures.last_error = error.message;
  }
  void note_acknowledged(int64_t number, bool first_of_session) {
    const BootTime now = clock.boot_now();
    {
      std::lock_guard lock(mutex);
      if (figures.acknowledged > 0)
        figures.longest_gap = std::max(figures.longest_gap, now - figures.last_acknowledged_at);
      figures.acknowledged += 1;
      figures.last_acknowledged_at = now;
      if (first_of_session) {
        figures.sessions += 1;
        figures.session_first_at = now;
      }
      numbers.push_back(number);
    }
    changed.notify_all();
  }
  // Writes on one connection until it fails or `stop` is set.
  Status session(const std::stop_token& stop) {
    auto connection = connect(target);
    if (!connection) return std::unexpected(connection.error());
    // Created on every new connection: it costs little, and a database that was emptied is no reason to stop.
    auto created =
        query(connection->get(), fmt::format("CREATE TABLE IF NOT EXISTS {} (n bigint PRIMARY KEY)", target.table), {},
              target.write_timeout);
    if (!created) return std::unexpected(created.error());
    const std::string insert = fmt::format("INSERT INTO {} (n) VALUES ($1)", target.table);
    bool first = true;
    while (!stop.stop_requested()) {
      const int64_t number = next++;
      if (auto done = query(connection->get(), insert, {std::to_string(number)}, target.write_timeout); !done)
        return std::unexpected(done.error());
      note_acknowledged(number, std::exchange(first, false));
    }
    return {};
  }
  void run(const std::stop_token& stop) {
    while (!stop.stop_requested())
      if (auto done = session(stop); !done) {
        note_failure(done.error());
        wait_for(target.retry, stop);
      }
  }
  Result<WriterFigures> wait(const std::function<bool(const WriterFigures&)>& enough,
                             std::chrono::milliseconds patience, const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    if (changed.wait_for(lock, stop, patience, [&] { return enough(figures); })) return figures;
    if (stop.stop_requested()) return fail(Code::kCancelled, "stopped");
    return fail(
        Code::kTimeout,
        fmt::format("no such write was acknowledged within {} ms; {} acknowledged before, last error: {}",
                    patience.count(), figures.acknowledged, figures.last_error.empty() ? "none" : figures.last_error));
  }
};

Writer::Writer(WriterTarget target, const Clock& clock) : impl_(std::make_unique<Impl>(std::move(target), clock)) {}
Writer::~Writer() { stop(); }
void Writer::start() {
  impl_->thread = std::jthread([impl = impl_.get()](const std::stop_token& stop) { impl->run(stop); });
}
void Writer::stop() {
  impl_->thread.request_stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}
WriterFigures Writer::figures() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->figures;
}
void Writer::reset_gap() {
  std::lock_guard lock(impl_->mutex);
  impl_->figures.longest_gap = {};
}
std::vector<int64_t> Writer::acknowledged() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->numbers;
}
Result<WriterFigures> Writer::wait_for_session_after(uint64_t session, std::chrono::milliseconds patience,
                                                     std::stop_token stop) {
  return impl_->wait([session](const WriterFigures& now) { return now.sessions > session; }, patience, stop);
}
Result<WriterFigures> Writer::wait_for_acknowledged(uint64_t count, std::chrono::milliseconds patience,
                                                    std::stop_token stop) {
  return impl_->wait([count](const WriterFigures& now) { return now.acknowledged >= count; }, patience, stop);
}

Result<std::vector<int64_t>> missing_writes(const WriterTarget& target, const std::vector<int64_t>& acknowledged) {
  auto connection = connect_patiently(target);
  if (!connection) return std::unexpected(connection.error());
  auto rows = query(connection->get(), fmt::format("SELECT n FROM {}", target.table), {}, std::chrono::seconds(60));
  if (!rows) return std::unexpected(rows.error());
  std::set<int64_t> present;
  for (int row = 0; row < PQntuples(rows->get()); ++row) present.insert(std::stoll(PQgetvalue(rows->get(), row, 0)));
  std::vector<int64_t> missing;
  for (const int64_t number : acknowledged)
    if (!present.contains(number)) missing.push_back(number);
  return missing;
}

Result<std::string> query_value(const WriterTarget& target, const std::string& sql) {
  auto connection = connect_patiently(target);
  if (!connection) return std::unexpected(connection.error());
  auto rows = query(connection->get(), sql, {}, std::chrono::seconds(10));
  if (!rows) return std::unexpected(rows.error());
  if (PQntuples(rows->get()) < 1 || PQnfields(rows->get()) < 1)
    return fail(Code::kNotFound, "the query answered no row");
  return std::string(PQgetvalue(rows->get(), 0, 0));
}

}  // namespace twinspan::sandbox
