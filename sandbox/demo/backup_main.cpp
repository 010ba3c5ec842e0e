// twinspan-demo-backup: a table is dropped, and is back in a new link as it was a second before. Real PostgreSQL and
// pgBackRest, a bucket on this machine, no cluster. Whatever is not as it should be ends it with an error.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base64.hpp"
#include "core/log.hpp"
#include "core/signals.hpp"
#include "core/wait.hpp"
#include "sandbox/demo/cluster.hpp"
#include "sandbox/demo/connection.hpp"
#include "sandbox/demo/progress.hpp"
#include "sandbox/demo/scenario.hpp"
#include "sandbox/demo/table.hpp"
#include "sandbox/demo/writer.hpp"
#include "sandbox/s3/backup_bucket.hpp"

namespace {

namespace fs = std::filesystem;
namespace kube = twinspan::kube;
namespace sandbox = twinspan::sandbox;
using std::chrono::milliseconds;
using std::chrono::seconds;
using twinspan::Code;
using twinspan::fail;
using twinspan::Json;
using twinspan::member_of;
using twinspan::Result;
using twinspan::Status;
using twinspan::text_of;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kPatience{180000};
constexpr const char* kSum = "SELECT count(*) || ' rows, sum ' || coalesce(sum(hashtext(note)::bigint), 0) FROM sales";

struct Options {
  fs::path source = ".", state;
  int rows = 200000;
  bool keep = false, quiet = false;
};

milliseconds since(SteadyClock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(SteadyClock::now() - start);
}

class Demo {
 public:
  Demo(const Options& options, sandbox::DemoCluster& cluster, sandbox::Progress& progress, std::stop_token stop)
      : options_(options),
        cluster_(cluster),
        progress_(progress),
        stop_(std::move(stop)),
        scenario_(cluster, progress, kLink, stop_) {}

  Status run() {
    for (const auto& step :
         {&Demo::start, &Demo::store_the_log, &Demo::back_up, &Demo::lose_a_table, &Demo::restore, &Demo::compare})
      if (auto done = (this->*step)(); !done) return done;
    return {};
  }
  milliseconds back_after() const { return back_after_; }

 private:
  Status start() {
    progress_.begin("embedded Kubernetes API and process runtime, operator, a bucket with TLS");
    if (auto started = cluster_.start(stop_); !started) return started;
    if (auto started = cluster_.start_operator(); !started) return started;
    auto bucket = twinspan::s3_stub::start_backup_bucket(clock_);
    if (!bucket) return std::unexpected(bucket.error());
    bucket_ = std::move(*bucket);
    progress_.done(bucket_.endpoint());
    if (auto applied = apply("postgres.yaml"); !applied) return applied;
    if (auto streams = scenario_.wait_streaming(kPatience); !streams) return streams;
    auto target = scenario_.writer_target(seconds(30));
    if (!target) return std::unexpected(target.error());
    target_ = *target;
    return {};
  }

  Status store_the_log() {
    const Json key = {{"key", twinspan::base64_encode("a passphrase of 32 characters ..")}};
    for (const auto& [name, data] : {std::pair{"backup-s3", bucket_.secret_data()}, {"backup-key", key}}) {
      Json secret{{"apiVersion", "v1"}, {"kind", "Secret"}, {"data", data}};
      secret["metadata"] = {{"name", name}, {"namespace", kLink.ns}};
      if (auto made = cluster_.client().apply(kube::kSecrets, secret, "twinspan-demo"); !made)
        return std::unexpected(made.error());
    }
    if (auto applied = apply("backup.yaml"); !applied) return applied;
    // The same schedule, with a bucket of this machine.
    Json patch;
    patch["spec"]["destination"]["s3"] = {{"endpoint", bucket_.endpoint()}, {"caSecretRef", {{"name", "backup-s3"}}}};
    patch["spec"]["continuous"]["maxDelaySeconds"] = 5;  // and no patience: nobody waits a minute for a demo
    if (auto done = cluster_.client().merge_patch(kube::kBackupSchedules, kLink, patch); !done)
      return std::unexpected(done.error());
    return progress_.wait(
        "the log is stored, each member was restarted once for it", kPatience,
        [&]() -> std::string {
          const Json ready = condition(kube::kBackupSchedules, "Ready");
          return text_of(ready, "status") == "True" ? "" : "not Ready: " + text_of(ready, "message");
        },
        stop_);
  }

  Status back_up() {
    if (auto made = sql(fmt::format(
            "CREATE TABLE sales AS SELECT i, md5(i::text) AS note FROM generate_series(1, {}) i", options_.rows));
        !made)
      return made;
    if (auto done = progress_.wait(
            "a full backup, since there is none", kPatience,
            [&]() -> std::string {
              return status(kube::kBackupSchedules, kLink.name).contains("last") ? "" : "not completed";
            },
            stop_);
        !done)
      return done;
    print_table(kube::kBackups);
    return sql("INSERT INTO sales SELECT i, 'after the backup ' || i FROM generate_series(1, 1000) i");
  }

  Status lose_a_table() {
    auto before = sandbox::query_value(target_, kSum);
    if (!before) return std::unexpected(before.error());
    sum_ = *before;
    twinspan::wait_for(milliseconds(1100), stop_);
    auto moment = sandbox::query_value(
        target_, "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')");
    if (!moment) return std::unexpected(moment.error());
    moment_ = *moment;
    twinspan::wait_for(milliseconds(1100), stop_);
    progress_.begin("DROP TABLE sales");
    if (auto dropped = sql("DROP TABLE sales"); !dropped) return dropped;
    lost_at_ = SteadyClock::now();
    progress_.done(fmt::format("it had {}", sum_));
    return {};
  }

  Status restore() {
    Json object{{"apiVersion", kube::kRestores.api_version()}, {"kind", kube::kRestores.kind}};
    object["metadata"] = {{"name", kRestored.name}, {"namespace", kRestored.ns}};
    object["spec"]["from"]["scheduleRef"]["name"] = kLink.name;
    object["spec"]["target"]["time"] = moment_;
    object["spec"]["to"]["newLink"]["name"] = kRestored.name;
    if (auto made = cluster_.client().apply(kube::kRestores, object, "twinspan-demo"); !made)
      return std::unexpected(made.error());
    return progress_.wait(
        fmt::format("a Restore of {} into a new link, with its replicas", moment_), kPatience,
        [&]() -> std::string {
          const Json now = status(kube::kRestores, kRestored.name);
          const std::string phase = text_of(now, "phase");
          return phase == "Completed" ? "" : fmt::format("{}: {}", phase, text_of(now, "message"));
        },
        stop_);
  }

  Status compare() {
    back_after_ = since(lost_at_);
    print_table(kube::kBackupSchedules);
    print_table(kube::kRestores);
    print_table(kube::kReplicationLinks);
    sandbox::WriterTarget target = target_;
    const Json now = status(kube::kReplicationLinks, kRestored.name);
    for (const Json& row : member_of(now, "endpoints"))
      if (text_of(row, "name") == text_of(now, "primary")) target.host = text_of(row, "address");
    target.port = 5432;
    const auto owner = cluster_.client().get(kube::kSecrets, {kRestored.ns, kRestored.name + "-owner"});
    if (!owner) return std::unexpected(owner.error());
    const auto text = [&](const char* key) {
      return twinspan::base64_decode(text_of(member_of(*owner, "data"), key)).value_or("");
    };
    target.user = text("username");
    target.password = text("password");
    progress_.begin("the table in the new link");
    const auto found = sandbox::query_value(target, kSum);
    if (!found) return std::unexpected(found.error());
    if (*found != sum_) return fail(Code::kInternal, fmt::format("it has {}, and had {}", *found, sum_));
    progress_.done(fmt::format("it has {}", *found));
    const auto gone = sandbox::query_value(target_, "SELECT count(*) FROM pg_class WHERE relname = 'sales'");
    if (!gone) return std::unexpected(gone.error());
    return *gone == "0" ? Status{} : fail(Code::kInternal, "the first link was changed");
  }

  Status apply(const char* file) {
    const fs::path manifest = options_.source / "examples" / file;
    progress_.begin(fmt::format("kubectl apply -f {}", manifest.lexically_normal().string()));
    if (auto applied = cluster_.apply_file(manifest); !applied) return applied;
    progress_.done();
    return {};
  }
  Status sql(const std::string& text) {
    auto connection = sandbox::connect(target_);
    if (!connection) return std::unexpected(connection.error());
    if (auto done = sandbox::query(connection->get(), text, {}, seconds(60)); !done)
      return std::unexpected(done.error());
    return {};
  }
  Json status(const kube::Resource& kind, const std::string& name) {
    const auto object = cluster_.client().get(kind, {kLink.ns, name});
    return object ? object->value("status", Json::object()) : Json::object();
  }
  Json condition(const kube::Resource& kind, const char* type) {
    const Json now = status(kind, kLink.name);
    for (const Json& one : member_of(now, "conditions"))
      if (text_of(one, "type") == type) return one;
    return Json::object();
  }
  void print_table(const kube::Resource& kind) { sandbox::print_table(cluster_, progress_, kind, kLink.ns); }

  const kube::Key kLink{"shop", "orders"}, kRestored{"shop", "orders-before"};
  const twinspan::SystemClock clock_;
  const Options& options_;
  sandbox::DemoCluster& cluster_;
  sandbox::Progress& progress_;
  const std::stop_token stop_;
  twinspan::s3_stub::BackupBucket bucket_;
  sandbox::Scenario scenario_;
  sandbox::WriterTarget target_;
  std::string sum_, moment_;
  SteadyClock::time_point lost_at_;
  milliseconds back_after_{0};
};

int run(const Options& options, const std::stop_token& stop) {
  const twinspan::SystemClock clock;
  sandbox::Progress progress(options.quiet);
  sandbox::DemoOptions where;
  where.state = options.state;
  where.crds = options.source / "crds";
  sandbox::DemoCluster cluster(where, clock);
  Demo demo(options, cluster, progress, stop);
  if (const Status done = demo.run(); !done) {
    progress.failed(done.error().message);
    if (!stop.stop_requested() && !cluster.state().empty())
      progress.print(fmt::format("---- last lines of the operator's log\n{}", cluster.operator_log_tail(30)));
    fmt::print("demo: failed: {}\n", stop.stop_requested() ? "interrupted" : done.error().message);
    return 1;
  }
  if (options.keep) cluster.leave_running("backupschedules,backups,restores,replicationlinks", "shop", stop);
  fmt::print("demo: a dropped table of {} rows is back after {} ms, with all that was written after the backup\n",
             options.rows + 1000, demo.back_after().count());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Twinspan's demo of backups: a table is dropped, and is back. For trying out only."};
  app.add_option("--source", options.source, "Folder with crds/ and examples/")->check(CLI::ExistingDirectory);
  app.add_option("--state", options.state,
                 "Folder for data and logs, kept afterwards; short, for Unix sockets live in it. Default: a fresh one, "
                 "removed at the end");
  app.add_option("--rows", options.rows, "Rows of the table")->check(CLI::Range(1, 10000000));
  app.add_flag("--keep", options.keep, "Leave everything running until Ctrl-C, and print the kubeconfig");
  app.add_flag("--quiet", options.quiet, "Only the last line");
  CLI11_PARSE(app, argc, argv);
  twinspan::log::configure(twinspan::log::Level::kError, {{"component", "demo"}});
  const twinspan::Signals signals(seconds(60), {SIGTERM, SIGINT, SIGHUP});
  return run(options, signals.stop_token());
}
