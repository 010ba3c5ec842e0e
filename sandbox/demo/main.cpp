// twinspan-demo: from manifests to a failover with nothing lost, on this machine, without a cluster.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "core/log.hpp"
#include "core/wait.hpp"
#include "sandbox/demo/cluster.hpp"
#include "sandbox/demo/progress.hpp"
#include "sandbox/demo/scenario.hpp"
#include "sandbox/demo/table.hpp"
#include "sandbox/demo/writer.hpp"

namespace {

namespace fs = std::filesystem;
namespace sandbox = twinspan::sandbox;
using twinspan::Code;
using twinspan::fail;
using twinspan::Json;
using twinspan::Result;
using twinspan::Status;

struct Options {
  fs::path source = ".";
  fs::path manifest;  // empty: examples/postgres.yaml of `source`
  fs::path state;
  std::string ns = "shop", link = "orders";
  int failovers = 1;
  bool switchover = false, keep = false, quiet = false;
  std::string json;
  std::vector<std::string> operator_arguments;
};

struct Outcome {
  std::vector<sandbox::FailoverFigures> failovers;
  std::optional<sandbox::SwitchoverFigures> switchover;
  uint64_t acknowledged = 0, lost = 0;
};

struct Spread {
  int64_t min = 0, median = 0, max = 0;
};

Spread spread_of(std::vector<int64_t> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  return {values.front(), values[values.size() / 2], values.back()};
}

Spread outages(const Outcome& outcome) {
  std::vector<int64_t> values;
  for (const auto& one : outcome.failovers) values.push_back(one.outage.count());
  return spread_of(values);
}

Json to_json(const Outcome& outcome) {
  Json out{{"acknowledged", outcome.acknowledged}, {"lost", outcome.lost}, {"failovers", Json::array()}};
  for (const auto& one : outcome.failovers) {
    Json entry{{"from", one.from},
               {"to", one.to},
               {"outageMilliseconds", one.outage.count()},
               {"rejoinMilliseconds", one.rejoin.count()},
               {"lost", one.lost}};
    if (one.recorded_milliseconds) entry["recoveryMilliseconds"] = *one.recorded_milliseconds;
    if (one.lost_bytes) entry["lostBytes"] = *one.lost_bytes;
    out["failovers"].push_back(std::move(entry));
  }
  const Spread spread = outages(outcome);
  out["outageMilliseconds"] = {{"min", spread.min}, {"median", spread.median}, {"max", spread.max}};
  if (outcome.switchover)
    out["switchover"] = {{"from", outcome.switchover->from},
                         {"to", outcome.switchover->to},
                         {"pauseMilliseconds", outcome.switchover->pause.count()},
                         {"lost", outcome.switchover->lost}};
  return out;
}

void print_tables(sandbox::DemoCluster& cluster, sandbox::Progress& progress, const Options& options) {
  for (const auto& resource : {twinspan::kube::kReplicationLinks, twinspan::kube::kFailoverPolicies})
    sandbox::print_table(cluster, progress, resource, options.ns);
}

Status run(sandbox::DemoCluster& cluster, sandbox::Progress& progress, const Options& options, Outcome& outcome,
           const std::stop_token& stop) {
  constexpr std::chrono::minutes kApplyPatience{3}, kRejoinPatience{2};
  constexpr uint64_t kWarmWrites = 500;
  progress.begin("embedded Kubernetes API and process runtime");
  if (auto started = cluster.start(stop); !started) return started;
  progress.done(cluster.api().url());
  progress.begin("operator");
  if (auto started = cluster.start_operator(); !started) return started;
  progress.done();
  const fs::path manifest = options.manifest.empty() ? options.source / "examples" / "postgres.yaml" : options.manifest;
  progress.begin(fmt::format("kubectl apply -f {}", manifest.lexically_normal().string()));
  if (auto applied = cluster.apply_file(manifest); !applied) return applied;
  progress.done();

  sandbox::Scenario scenario(cluster, progress, {options.ns, options.link}, stop);
  if (auto streams = scenario.wait_streaming(kApplyPatience); !streams) return streams;
  auto target = scenario.writer_target(std::chrono::seconds(30));
  if (!target) return std::unexpected(target.error());
  print_tables(cluster, progress, options);

  const twinspan::SystemClock clock;
  sandbox::Writer writer(*target, clock);
  writer.start();
  for (int round = 0; round < options.failovers; ++round) {
    progress.begin(fmt::format("a client writes through {}:{} (TLS)", target->host, target->port));
    auto warm =
        writer.wait_for_acknowledged(writer.figures().acknowledged + kWarmWrites, std::chrono::seconds(60), stop);
    if (!warm) return std::unexpected(warm.error());
    progress.done(fmt::format("{} writes acknowledged", warm->acknowledged));
    auto figures = scenario.fail_over(writer, *target);
    if (!figures) return std::unexpected(figures.error());
    if (auto rejoined = scenario.wait_rejoined(*figures, kRejoinPatience); !rejoined) return rejoined;
    outcome.failovers.push_back(*figures);
    if (options.failovers > 1)
      progress.print(fmt::format("failover {} of {}: {} -> {} in {} ms, {} lost", round + 1, options.failovers,
                                 figures->from, figures->to, figures->outage.count(), figures->lost));
  }
  if (options.switchover) {
    const std::string to = outcome.failovers.empty() ? "west" : outcome.failovers.back().from;
    auto figures = scenario.switch_over(writer, *target, to);
    if (!figures) return std::unexpected(figures.error());
    outcome.switchover = *figures;
    if (auto streams = scenario.wait_streaming(kRejoinPatience); !streams) return streams;
  }
  writer.stop();
  const auto acknowledged = writer.acknowledged();
  const auto missing = sandbox::missing_writes(*target, acknowledged);
  if (!missing) return std::unexpected(missing.error());
  outcome.acknowledged = acknowledged.size();
  outcome.lost = missing->size();

  print_tables(cluster, progress, options);
  const auto policy = scenario.policy();
  if (policy) {
    progress.print("timeline, from status.history of the FailoverPolicy:");
    for (const Json& record : policy->value("status", Json::object()).value("history", Json::array()))
      progress.print(sandbox::render_timeline(record));
  }
  return {};
}

void print_logs(sandbox::DemoCluster& cluster, sandbox::Progress& progress, const Options& options) {
  constexpr size_t kLines = 15;
  progress.print(fmt::format("---- last lines of the operator's log\n{}", cluster.operator_log_tail(kLines)));
  (void)cluster.client().list(twinspan::kube::kPods, options.ns, {}, [&](Json&& pod) {
    const std::string name = pod.at("metadata").at("name").get<std::string>();
    progress.print(
        fmt::format("---- last lines of pod {}\n{}", name, cluster.pod_log_tail({options.ns, name}, kLines)));
  });
}

int demo(const Options& options, const std::stop_token& stop) {
  const twinspan::SystemClock clock;
  sandbox::Progress progress(options.quiet);
  sandbox::DemoOptions where;
  where.state = options.state;
  where.crds = options.source / "crds";
  where.operator_arguments = options.operator_arguments;
  sandbox::DemoCluster cluster(where, clock);
  Outcome outcome;
  const Status done = run(cluster, progress, options, outcome, stop);
  if (!done) {
    progress.failed(done.error().message);
    const bool interrupted = stop.stop_requested();
    if (!interrupted && !cluster.state().empty()) print_logs(cluster, progress, options);
    fmt::print("demo: failed: {}\n", interrupted ? "interrupted" : done.error().message);
    return 1;
  }
  const Spread spread = outages(outcome);
  if (outcome.failovers.size() > 1)
    fmt::print("{} failovers: min {} ms, median {} ms, max {} ms\n", outcome.failovers.size(), spread.min,
               spread.median, spread.max);
  if (outcome.switchover)
    fmt::print("switchover {} -> {}: writes paused for {} ms\n", outcome.switchover->from, outcome.switchover->to,
               outcome.switchover->pause.count());
  if (!options.json.empty()) std::ofstream(options.json) << to_json(outcome).dump(2) << "\n";
  if (options.keep) cluster.leave_running("replicationlinks,failoverpolicies,pods,services", options.ns, stop);
  fmt::print("demo: failover in {} ms, {} writes acknowledged, {} lost\n", spread.median, outcome.acknowledged,
             outcome.lost);
  return outcome.lost == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Twinspan's demo: a PostgreSQL link under load, its primary killed, nothing lost. For trying out only."};
  app.add_option("--source", options.source, "Folder with crds/ and examples/")->check(CLI::ExistingDirectory);
  app.add_option("--manifest", options.manifest, "Manifest to apply instead of examples/postgres.yaml")
      ->check(CLI::ExistingFile);
  app.add_option("--namespace", options.ns, "Namespace of the link in the manifest");
  app.add_option("--link", options.link, "Name of the link in the manifest");
  app.add_option("--state", options.state,
                 "Folder for data and logs, kept afterwards; short, for Unix sockets live in it. Default: a fresh one, "
                 "removed at the end");
  app.add_option("--failovers", options.failovers, "How many times the primary is killed")->check(CLI::Range(0, 1000));
  app.add_flag("--switchover", options.switchover, "Then move the primary back as planned, under load");
  app.add_flag("--keep", options.keep, "Leave everything running until Ctrl-C, and print the kubeconfig");
  app.add_flag("--quiet", options.quiet, "Only the last lines");
  app.add_option("--json", options.json, "Write the figures to this file");
  app.add_option("--operator-argument", options.operator_arguments, "Handed to the operator as it is");
  CLI11_PARSE(app, argc, argv);
  twinspan::log::configure(twinspan::log::Level::kError, {{"component", "demo"}});

  // One thread takes the signals, so that everything else ends in order.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::stop_source stop;
  std::thread([signals, stop]() mutable {
    int number = 0;
    sigwait(&signals, &number);
    stop.request_stop();
    sigwait(&signals, &number);
    _exit(130);  // asked twice: the shims see it and end every process
  }).detach();
  return demo(options, stop.get_token());
}
