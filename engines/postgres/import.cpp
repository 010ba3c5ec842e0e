#include "engines/postgres/import.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <list>

#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "engines/postgres/admin.hpp"
#include "engines/postgres/command.hpp"
#include "engines/postgres/conninfo.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/import_rules.hpp"
#include "engines/postgres/sql_objects.hpp"

namespace twinspan::postgres {
namespace {

constexpr std::chrono::milliseconds kConnect{10000}, kTime{60000};
constexpr std::chrono::hours kLongest{24 * 7};
constexpr int64_t kNewestMajor = 15;  // that this image's pg_dump reads

class Import {
 public:
  Import(Children& children, const Layout& layout, int port, const ImportWanted& wanted, const ImportSteps& steps,
         const std::stop_token& stop)
      : children_(children), layout_(layout), port_(port), wanted_(wanted), steps_(steps), stop_(stop) {}

  Result<std::vector<std::string>> run() {
    auto source = connect();
    if (!source) return std::unexpected(source.error());
    if (auto seen = look(*source); !seen) return std::unexpected(seen.error());
    if (auto made = make_definitions(); !made) return std::unexpected(made.error());
    if (!wanted_.schema_only) {
      steps_.rows();
      if (auto copied = copy_rows(); !copied) return std::unexpected(copied.error());
    }
    steps_.indexes();
    if (auto made = restore("post-data", "rest"); !made) return std::unexpected(made.error());
    if (auto measured = analyze(); !measured) return std::unexpected(measured.error());
    return left_out_;
  }

 private:
  std::string file(const char* name) const { return wanted_.directory + "/" + name; }

  std::string source() const { return source_conninfo(wanted_.source, "twinspan-import"); }

  Result<Session> connect() const {
    auto session = open_source(wanted_.source, stop_);
    if (!session) return session;
    // This session is idle in its transaction for as long as rows are copied. Servers before 9.6 know no such limit.
    if (auto set = session->simple("SELECT set_config(name, '0', false) FROM pg_settings"
                                   " WHERE name = 'idle_in_transaction_session_timeout'",
                                   kTime, stop_);
        !set)
      return std::unexpected(set.error());
    return session;
  }

  // All that follows is of this moment, as long as this session lives.
  Status look(Session& source) {
    const auto version = source.query("SHOW server_version_num", {}, kTime, stop_);
    if (!version) return std::unexpected(version.error());
    if (const int64_t major = integer_of(version->front()[0]) / 10000; major > kNewestMajor)
      return fail(Code::kInvalid,
                  fmt::format("the source is PostgreSQL {}, this image copies from {} and older", major, kNewestMajor));
    if (auto begun = source.simple("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", kTime, stop_); !begun)
      return std::unexpected(begun.error());
    const auto snapshot =
        source.query("SELECT pg_export_snapshot(), pg_database_size(current_database())", {}, kTime, stop_);
    if (!snapshot) return std::unexpected(snapshot.error());
    snapshot_ = snapshot->front()[0].value_or("");
    const auto tables =
        source.query(fmt::format("SELECT nspname, relname, pg_table_size(c.oid) FROM pg_class c JOIN pg_namespace n"
                                 " ON n.oid = relnamespace WHERE relkind = 'r' AND {}",
                                 kTheirs),
                     {}, kTime, stop_);
    if (!tables) return std::unexpected(tables.error());
    for (const Row& row : *tables)
      tables_.push_back({fmt::format("\"{}\".\"{}\"", doubled(row[0].value_or("")), doubled(row[1].value_or(""))),
                         integer_of(row[2])});
    if (auto fine = look_for_extensions(source); !fine) return fine;
    return steps_.connected(static_cast<int64_t>(tables_.size()), integer_of(snapshot->front()[1]));
  }

  // Before anything is made here.
  Status look_for_extensions(Session& source) {
    const auto rows = source.query(
        "SELECT extname, nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace"
        " WHERE extname <> 'plpgsql' ORDER BY e.oid",
        {}, kTime, stop_);
    if (!rows) return std::unexpected(rows.error());
    if (rows->empty()) return {};
    auto local = open_local(layout_, port_, kConnect, stop_);
    if (!local) return std::unexpected(local.error());
    for (const Row& row : *rows) {
      extensions_.emplace_back(row[0].value_or(""), row[1].value_or(""));
      const auto known = local->query("SELECT 1 FROM pg_available_extensions WHERE name = $1",
                                      {extensions_.back().first}, kTime, stop_);
      if (!known) return std::unexpected(known.error());
      if (known->empty())
        return fail(Code::kNotFound, fmt::format("extension \"{}\" is not available here", extensions_.back().first));
    }
    return {};
  }

  // In a pattern of pg_dump's, too, a quote within quotes is two.
  static std::string doubled(const std::string& name) {
    std::string text;
    for (const char c : name) text += c == '"' ? "\"\"" : std::string(1, c);
    return text;
  }

  Command dump(std::vector<std::string> arguments) const {
    Command command{layout_.program("pg_dump"),
                    {"--format=custom", "--no-password", "--no-publications", "--no-subscriptions",
                     "--no-security-labels", "--snapshot=" + snapshot_, "--dbname=" + source()},
                    {},
                    kLongest,
                    {}};
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    return first_to_end(std::move(command));
  }

  Command into_here(std::vector<std::string> arguments) const {
    Command command{layout_.program("pg_restore"),
                    {"--exit-on-error", "--no-owner", "--no-privileges", "--no-tablespaces", "--no-publications",
                     "--role=" + wanted_.owner,
                     "--dbname=" + conninfo({{"host", layout_.run_dir},
                                             {"port", std::to_string(port_)},
                                             {"user", kSuperuser},
                                             {"dbname", wanted_.database},
                                             {"application_name", "twinspan-import"}})},
                    // No commit of an import waits for a replica.
                    {{"PGOPTIONS",
                      "-c synchronous_commit=local -c statement_timeout=0 -c lock_timeout=0"
                      " -c client_connection_check_interval=200ms -c default_transaction_read_only=off"}},
                    kLongest,
                    {}};
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    return first_to_end(std::move(command));
  }

  Status restore(const char* section, const char* list) const {
    const auto done = run_checked(children_,
                                  into_here({fmt::format("--section={}", section), fmt::format("--jobs={}", jobs()),
                                             "--use-list=" + file(list), file("definitions")}),
                                  stop_);
    if (!done) return std::unexpected(done.error());
    return {};
  }
  size_t jobs() const { return std::max<size_t>(1, wanted_.jobs); }

  Status make_definitions() {
    std::vector<std::string> arguments{"--section=pre-data", "--section=post-data", "--file=" + file("definitions")};
    if (wanted_.schema_only) arguments.emplace_back("--no-blobs");
    if (auto dumped = run_checked(children_, dump(std::move(arguments)), stop_); !dumped)
      return std::unexpected(dumped.error());
    // The listing may be longer than what run() keeps.
    if (auto listed = run_checked(children_,
                                  {layout_.program("pg_restore"),
                                   {"--list", "--file=" + file("contents"), file("definitions")},
                                   {},
                                   kLongest,
                                   {}},
                                  stop_);
        !listed)
      return std::unexpected(listed.error());
    const auto contents = read_file(file("contents"));
    if (!contents) return std::unexpected(contents.error());
    const ContentsPlan plan = plan_contents(*contents);
    left_out_ = plan.left_out;
    for (const auto& [name, text] : {std::pair{"schemas", &plan.schemas}, std::pair{"rest", &plan.rest}})
      if (auto wrote = replace_file(file(name), *text, 0600); !wrote) return std::unexpected(wrote.error());
    if (auto made = restore("pre-data", "schemas"); !made) return made;
    if (auto made = make_extensions(); !made) return made;
    return restore("pre-data", "rest");
  }

  Status make_extensions() const {
    if (extensions_.empty()) return {};
    auto inside = open_local(layout_, port_, kConnect, stop_, wanted_.database);
    if (!inside) return std::unexpected(inside.error());
    for (const auto& [name, schema] : extensions_) {
      const std::string where = schema == "pg_catalog" ? "" : " SCHEMA " + inside->identifier(schema);
      if (auto made = inside->simple(
              fmt::format("CREATE EXTENSION IF NOT EXISTS {}{}", inside->identifier(name), where), kTime, stop_);
          !made)
        return fail(made.error().code, fmt::format("extension {}: {}", name, made.error().message));
    }
    return {};
  }

  // The first share has also what no share names: large objects, and the values of sequences.
  Status copy_rows() {
    const auto shares = share_out(tables_, jobs());
    std::vector<std::string> others{"--section=data", "--compress=0"};
    for (size_t share = 1; share < shares.size(); ++share)
      for (const std::string& table : shares[share]) others.push_back("--exclude-table-data=" + table);
    std::stop_source all;
    const std::stop_callback on_stop(stop_, [&] { all.request_stop(); });
    Mutex mutex;
    Status outcome;
    const auto copy = [&](std::vector<std::string> arguments) {
      Command to = into_here({"--section=data", "--verbose"});
      to.on_line = [this](std::string_view line) {
        if (begins_table(line)) steps_.table();
      };
      const Status done = run_piped(children_, dump(std::move(arguments)), std::move(to), all.get_token());
      if (done) return;
      MutexLock lock(mutex);
      if (outcome) outcome = done;
      all.request_stop();
    };
    {
      std::list<RoleThread> threads;
      for (size_t share = 1; share < shares.size(); ++share) {
        std::vector<std::string> arguments{"--section=data", "--compress=0"};
        for (const std::string& table : shares[share]) arguments.push_back("--table=" + table);
        threads.emplace_back(RoleName("import-rows"))
            .start([&copy, arguments = std::move(arguments)](const std::stop_token&) { copy(arguments); });
      }
      copy(std::move(others));
    }
    if (stop_.stop_requested()) return fail(Code::kCancelled, "stopped");
    return outcome;
  }

  Status analyze() const {
    auto inside = open_local(layout_, port_, kConnect, stop_, wanted_.database);
    if (!inside) return std::unexpected(inside.error());
    if (auto done = inside->simple("ANALYZE", kLongest, stop_); !done) return std::unexpected(done.error());
    return {};
  }

  Children& children_;
  const Layout& layout_;
  const int port_;
  const ImportWanted& wanted_;
  const ImportSteps& steps_;
  const std::stop_token& stop_;
  std::string snapshot_;
  std::vector<SourceTable> tables_;
  std::vector<std::pair<std::string, std::string>> extensions_;  // and the schema of each
  std::vector<std::string> left_out_;
};

}  // namespace

Result<std::vector<std::string>> import_database(Children& children, const Layout& layout, int port,
                                                 const ImportWanted& wanted, const ImportSteps& steps,
                                                 const std::stop_token& stop) {
  auto done = Import(children, layout, port, wanted, steps, stop).run();
  if (!done) return std::unexpected(explained(done.error()));
  return done;
}

Result<int64_t> database_bytes(const Layout& layout, int port, const std::string& database,
                               const std::stop_token& stop) {
  auto local = open_local(layout, port, kConnect, stop);
  if (!local) return std::unexpected(local.error());
  const auto rows = local->query("SELECT pg_database_size($1::name)", {database}, kTime, stop);
  if (!rows) return std::unexpected(rows.error());
  return integer_of(rows->front()[0]);
}

}  // namespace twinspan::postgres
