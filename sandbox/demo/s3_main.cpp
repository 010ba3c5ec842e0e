// twinspan-demo-s3: from manifests to two buckets that are proven equal, on this machine, without a cluster. Whatever
// is not as it should be ends it with an error: it is the integration test of S3 links as well.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "contract/names.hpp"
#include "core/base64.hpp"
#include "core/log.hpp"
#include "core/signals.hpp"
#include "core/wait.hpp"
#include "sandbox/demo/cluster.hpp"
#include "sandbox/demo/progress.hpp"
#include "sandbox/demo/table.hpp"
#include "sandbox/s3/stub.hpp"

namespace {

namespace fs = std::filesystem;
namespace kube = twinspan::kube;
namespace sandbox = twinspan::sandbox;
using std::chrono::milliseconds;
using twinspan::Code;
using twinspan::fail;
using twinspan::integer_of;
using twinspan::Json;
using twinspan::member_of;
using twinspan::Result;
using twinspan::Status;
using twinspan::text_of;
using SteadyClock = std::chrono::steady_clock;

constexpr const char *kSource = "backups-sgp", *kTarget = "backups-nyc";
constexpr milliseconds kPatience{120000};

struct Options {
  fs::path source = ".", state;
  int objects = 1000;
  bool keep = false, quiet = false;
  std::vector<std::string> operator_arguments;
};

struct Figures {
  milliseconds sync{0}, arrival{0}, recovery{0}, failover{0}, failback{0};
};

int64_t since(SteadyClock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(SteadyClock::now() - start).count();
}

struct Side {
  twinspan::s3_stub::Stub server;
  explicit Side(const std::string& secret) : server(options(secret)) {}
  static twinspan::s3_stub::StubOptions options(const std::string& secret) {
    twinspan::s3_stub::StubOptions out;
    out.credentials = {"demo", secret};
    out.uploads_of_one_key = true;  // as MinIO does it
    return out;
  }
};

class Demo {
 public:
  Demo(const Options& options, sandbox::DemoCluster& cluster, sandbox::Progress& progress, std::stop_token stop)
      : options_(options), cluster_(cluster), progress_(progress), stop_(std::move(stop)) {}

  Status run() {
    for (const auto& step : {&Demo::start, &Demo::apply, &Demo::sync, &Demo::arrive, &Demo::differ, &Demo::survive,
                             &Demo::rehearse, &Demo::fail_over, &Demo::come_back, &Demo::remove})
      if (auto done = (this->*step)(); !done) return done;
    return {};
  }
  const Figures& figures() const { return figures_; }
  const kube::Key& link() const { return link_; }

 private:
  Status start() {
    progress_.begin("embedded Kubernetes API and process runtime");
    if (auto started = cluster_.start(stop_); !started) return started;
    progress_.done(cluster_.api().url());
    progress_.begin("operator, and an S3 server for each side");
    if (auto started = cluster_.start_operator(); !started) return started;
    for (auto [side, bucket] : {std::pair{&sgp_, kSource}, {&nyc_, kTarget}}) {
      if (auto started = side->server.start(); !started) return started;
      side->server.create_bucket(bucket);
    }
    for (int i = 0; i < options_.objects; ++i)
      sgp_.server.add(kSource, fmt::format("daily/2026-11-{:02}/{:05} a+b.tar.gz", i % 28 + 1, i),
                      fmt::format("{:016384}", i));
    for (const char* awkward : {"100% ümlaut?", "trailing/", "empty"})
      sgp_.server.add(kSource, awkward, awkward == std::string("empty") ? "" : awkward);
    for (const int extra : {-1, 0, 1})
      sgp_.server.add(kSource, fmt::format("large/{}", extra), std::string((24 << 20) + extra, 'x'));
    objects_ = options_.objects + 6;
    progress_.done(fmt::format("{}, {}; {} objects", sgp_.server.endpoint(), nyc_.server.endpoint(), objects_));
    return {};
  }

  Status secret(const std::string& name, const std::string& secret) {
    Json object{{"apiVersion", "v1"}, {"kind", "Secret"}};
    object["metadata"] = {{"name", name}, {"namespace", link_.ns}};
    object["data"] = {{"accessKeyId", twinspan::base64_encode("demo")},
                      {"secretAccessKey", twinspan::base64_encode(secret)}};
    if (auto made = cluster_.client().apply(kube::kSecrets, object, "twinspan-demo"); !made)
      return std::unexpected(made.error());
    return {};
  }

  Status apply() {
    const fs::path manifest = options_.source / "examples" / "s3.yaml";
    progress_.begin(fmt::format("kubectl apply -f {}", manifest.lexically_normal().string()));
    const Json ns{{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", link_.ns}}}};
    if (auto made = cluster_.client().apply(kube::kNamespaces, ns, "twinspan-demo"); !made)
      return std::unexpected(made.error());
    if (auto made = secret("spaces-sgp", "secret-of-sgp"); !made) return made;
    if (auto made = secret("spaces-nyc", "secret-of-nyc"); !made) return made;
    if (auto applied = cluster_.apply_file(manifest); !applied) return applied;
    // The same link, with servers of this machine.
    Json patch;
    patch["spec"]["source"]["s3"] = {{"endpoint", sgp_.server.endpoint()}, {"bucket", kSource}};
    auto link = cluster_.client().get(kube::kReplicationLinks, link_);
    if (!link) return std::unexpected(link.error());
    patch["spec"]["targets"] = (*link)["spec"]["targets"];
    patch["spec"]["targets"][0]["s3"]["endpoint"] = nyc_.server.endpoint();
    patch["spec"]["targets"][0]["s3"]["bucket"] = kTarget;
    // And no patience: a demo has no hours.
    const Json hasty = {{"spec",
                         {{"triggers", {{"unreachableSeconds", 3}, {"consecutiveFailures", 3}}},
                          {"failback", {{"stableSeconds", 3}}}}}};
    if (auto patched = cluster_.client().merge_patch(kube::kFailoverPolicies, policy_, hasty); !patched)
      return std::unexpected(patched.error());
    begun_ = SteadyClock::now();
    if (auto patched = cluster_.client().merge_patch(kube::kReplicationLinks, link_, patch); !patched)
      return std::unexpected(patched.error());
    progress_.done();
    return {};
  }

  // Of what clients put there, not of what Twinspan keeps for itself.
  static int64_t objects_of(const Side& side, const char* bucket) {
    const auto keys = side.server.keys(bucket);
    return std::count_if(keys.begin(), keys.end(), [](const auto& key) { return !key.starts_with(".twinspan/"); });
  }

  Json status() {
    const auto link = cluster_.client().get(kube::kReplicationLinks, link_);
    return link ? member_of(*link, "status") : Json();
  }
  std::string condition(const Json& status, const std::string& type) {
    for (const Json& one : member_of(status, "conditions"))
      if (text_of(one, "type") == type) return text_of(one, "status");
    return "";
  }

  Status sync() {
    auto synced = progress_.wait(
        "every object is in New York too", kPatience,
        [&] {
          const Json seen = status(), &sync = member_of(seen, "sync");
          const int64_t there = objects_of(nyc_, kTarget);
          if (there >= objects_ && !figures_.sync.count()) figures_.sync = milliseconds(since(begun_));
          if (condition(seen, "Ready") == "True" && integer_of(sync, "total") >= objects_ &&
              integer_of(sync, "failed") == 0)
            return std::string();
          return fmt::format("{} of {} objects", there, objects_);
        },
        stop_);
    if (!synced) return synced;
    if (nyc_.server.uploads(kTarget) != 0) return fail(Code::kInternal, "half an upload is left behind in the target");
    return print_table();
  }

  Status arrive() {
    progress_.begin("a new object in Singapore");
    const auto start = SteadyClock::now();
    sgp_.server.add(kSource, "daily/new.tar.gz", "just made");
    ++objects_;
    while (!nyc_.server.body(kTarget, "daily/new.tar.gz")) {
      if (since(start) > kPatience.count()) return fail(Code::kInternal, "it never arrived in New York");
      if (!twinspan::wait_for(milliseconds(1), stop_)) return fail(Code::kCancelled, "interrupted");
    }
    figures_.arrival = milliseconds(since(start));
    progress_.done(fmt::format("in New York after {} ms", figures_.arrival.count()));
    return {};
  }

  Result<Json> verify(const std::string& request) {
    const Json patch{{"metadata", {{"annotations", {{std::string(twinspan::kVerifyAnnotation), request}}}}}};
    if (auto asked = cluster_.client().merge_patch(kube::kReplicationLinks, link_, patch); !asked)
      return std::unexpected(asked.error());
    Json seen;
    auto answered = progress_.wait(
        fmt::format("kubectl annotate replicationlink {} twinspan.dev/verify={}", link_.name, request), kPatience,
        [&] {
          seen = member_of(status(), "verification");
          return text_of(seen, "request") == request && seen.contains("finishedAt") ? "" : "both sides are compared";
        },
        stop_);
    if (!answered) return std::unexpected(answered.error());
    return seen;
  }

  Status differ() {
    nyc_.server.add(kTarget, "empty", "not empty any more");
    const auto seen = verify("one");
    if (!seen) return std::unexpected(seen.error());
    if (member_of(*seen, "consistent") != false || integer_of(*seen, "different") != 1)
      return fail(Code::kInternal, fmt::format("one key differs, and the verification says {}", seen->dump()));
    progress_.print(fmt::format("  an object changed behind its back is found: {} checked, 1 different: {}",
                                integer_of(*seen, "checked"), member_of(*seen, "differentSample").dump()));
    return {};
  }

  Status survive() {
    progress_.begin("the worker is killed and starts again");
    const auto start = SteadyClock::now();
    if (!cluster_.runtime().kill({link_.ns, twinspan::s3_lease_name(link_.name, 0)}))
      return fail(Code::kInternal, "there is no worker to kill");
    progress_.done();
    for (int round = 0;; ++round) {
      const auto seen = verify(fmt::format("again-{}", round));
      if (!seen) return std::unexpected(seen.error());
      if (member_of(*seen, "consistent") == true && integer_of(*seen, "checked") >= objects_) break;
      if (since(start) > kPatience.count())
        return fail(Code::kInternal, fmt::format("still not consistent: {}", seen->dump()));
      twinspan::wait_for(milliseconds(500), stop_);
    }
    figures_.recovery = milliseconds(since(start));
    return print_table();
  }

  Json policy_status() {
    const auto policy = cluster_.client().get(kube::kFailoverPolicies, policy_);
    return policy ? member_of(*policy, "status") : Json();
  }

  // The message of one of the policy's conditions.
  std::string said(const char* condition) {
    const Json status = policy_status();
    for (const Json& one : member_of(status, "conditions"))
      if (text_of(one, "type") == condition) return text_of(one, "message");
    return fmt::format("nothing is said of {} yet", condition);
  }

  // What clients read: where the primary is.
  std::string told() {
    const auto map = cluster_.client().get(kube::kConfigMaps, {link_.ns, "backups-where"});
    return map ? text_of(member_of(*map, "data"), "primary") : "";
  }
  std::string alias() {
    const auto service = cluster_.client().get(kube::kServices, {link_.ns, "backups"});
    return service ? text_of(member_of(*service, "spec"), "externalName") : "";
  }

  Status rehearse() {
    const Json patch = {{"metadata", {{"annotations", {{"twinspan.dev/drill", "one"}}}}}};
    if (auto asked = cluster_.client().merge_patch(kube::kFailoverPolicies, policy_, patch); !asked)
      return std::unexpected(asked.error());
    Json drill;
    auto over = progress_.wait(
        fmt::format("kubectl annotate failoverpolicy {} twinspan.dev/drill=one", policy_.name), kPatience,
        [&] {
          drill = member_of(policy_status(), "drill");
          return drill.contains("finishedAt") ? "" : "it is not over";
        },
        stop_);
    if (!over) return over;
    if (text_of(drill, "outcome") != "Passed")
      return fail(Code::kInternal, fmt::format("the rehearsal says {}", drill.dump()));
    progress_.print(fmt::format("  rehearsed: {}", text_of(drill, "message")));
    return {};
  }

  Status fail_over() {
    auto ready = progress_.wait(
        "clients are told of Singapore, and New York could take over", kPatience,
        [&] {
          return told() == "sgp" && text_of(policy_status(), "possible") == "True" ? std::string()
                                                                                   : said("FailoverPossible");
        },
        stop_);
    if (!ready) return ready;
    // Three objects that can't be carried any more: they will be counted, and brought along later.
    twinspan::s3_stub::Fault stuck;
    stuck.count = 1'000'000'000;
    stuck.method = "GET";
    stuck.path_prefix = fmt::format("/{}/late/", kSource);
    sgp_.server.inject(stuck);
    for (const char* key : {"late/1", "late/2", "late/3"}) sgp_.server.add(kSource, key, key);
    auto queued = progress_.wait(
        "three objects of Singapore are known, and on their way", kPatience,
        [&]() -> std::string {
          const Json seen = policy_status();
          for (const Json& one : member_of(seen, "conditions"))
            if (text_of(one, "message").find("3 keys are known that nyc lacks") != std::string::npos) return "";
          return "not known yet";
        },
        stop_);
    if (!queued) return queued;
    const auto start = SteadyClock::now();
    twinspan::s3_stub::Fault dead;
    dead.kind = twinspan::s3_stub::FaultKind::kCut;
    dead.count = 1'000'000'000;
    sgp_.server.inject(dead);
    auto moved = progress_.wait(
        "Singapore answers no more: clients are told of New York", kPatience,
        [&] { return told() == "nyc" ? std::string() : said("PrimaryHealthy"); }, stop_);
    if (!moved) return moved;
    figures_.failover = milliseconds(since(start));
    Json last;
    auto written = progress_.wait(
        "the failover is in the history", kPatience,
        [&] {
          const Json history = member_of(policy_status(), "history");
          if (!history.empty()) last = history.front();
          return text_of(last, "outcome") == "Completed" && text_of(last, "to") == "nyc" ? "" : "not yet";
        },
        stop_);
    if (!written) return written;
    if (integer_of(last, "missingKeys") != 3 || !last.contains("listedAt"))
      return fail(Code::kInternal, fmt::format("three keys are missing, and the history says {}", last.dump()));
    if (alias() != "nyc3.digitaloceanspaces.com") return fail(Code::kInternal, "the Service points at " + alias());
    progress_.print(fmt::format("  {}", text_of(last, "message")));
    return print_table(kube::kFailoverPolicies);
  }

  Status come_back() {
    nyc_.server.add(kTarget, "daily/written-in-new-york.tar.gz", "while Singapore was away");
    nyc_.server.add(kTarget, "trailing/", "changed in New York");
    const auto start = SteadyClock::now();
    sgp_.server.clear_faults();
    auto reversed = progress_.wait(
        "Singapore is back: both sides are reconciled, nothing that either had is lost", kPatience,
        [&]() -> std::string {
          for (const char* key : {"late/1", "late/2", "late/3"})
            if (nyc_.server.body(kTarget, key) != key) return fmt::format("{} is not in New York", key);
          if (!sgp_.server.body(kSource, "daily/written-in-new-york.tar.gz"))
            return "the new object is not in Singapore";
          if (sgp_.server.body(kSource, "trailing/") != "changed in New York") return "the change is not in Singapore";
          return "";
        },
        stop_);
    if (!reversed) return reversed;
    objects_ += 4;
    auto back = progress_.wait(
        "after a while in which all is well, clients are led back", kPatience,
        [&]() -> std::string {
          const Json status = policy_status();
          const Json& history = member_of(status, "history");
          if (told() == "sgp" && history.size() >= 2 && text_of(history.front(), "outcome") == "Completed") return "";
          return said("Ready");
        },
        stop_);
    if (!back) return back;
    figures_.failback = milliseconds(since(start));
    if (text_of(status(), "primary") != "sgp") return fail(Code::kInternal, "status.primary is not sgp");
    const auto seen = verify("after-the-failback");
    if (!seen) return std::unexpected(seen.error());
    if (member_of(*seen, "consistent") != true || integer_of(*seen, "checked") < objects_)
      return fail(Code::kInternal, fmt::format("not consistent after the failback: {}", seen->dump()));
    return print_table(kube::kFailoverPolicies);
  }

  Status remove() {
    if (options_.keep) return {};
    const int64_t before = objects_of(nyc_, kTarget);
    if (auto removed = cluster_.client().remove(kube::kReplicationLinks, link_); !removed) return removed;
    auto gone = progress_.wait(
        "kubectl delete: nothing of the link is left, both buckets are as they were", kPatience,
        [&]() -> std::string {
          size_t left = cluster_.client().get(kube::kReplicationLinks, link_) ? 1 : 0;
          for (const kube::Resource& kind :
               {kube::kPods, kube::kRoles, kube::kRoleBindings, kube::kPodDisruptionBudgets})
            (void)cluster_.client().list(kind, link_.ns, {}, [&](Json&&) { ++left; });
          return left == 0 ? "" : fmt::format("{} objects left", left);
        },
        stop_);
    if (!gone) return gone;
    if (objects_of(nyc_, kTarget) != before)
      return fail(Code::kInternal, "deleting the link changed the target bucket");
    return {};
  }

  Status print_table(const kube::Resource& kind = kube::kReplicationLinks) {
    sandbox::print_table(cluster_, progress_, kind, link_.ns);
    return {};
  }

  const Options& options_;
  sandbox::DemoCluster& cluster_;
  sandbox::Progress& progress_;
  const std::stop_token stop_;
  const kube::Key link_{"backups", "backups-sgp-nyc"}, policy_{"backups", "backups"};
  Side sgp_{"secret-of-sgp"}, nyc_{"secret-of-nyc"};
  int64_t objects_ = 0;
  SteadyClock::time_point begun_;
  Figures figures_;
};

int run(const Options& options, const std::stop_token& stop) {
  const twinspan::SystemClock clock;
  sandbox::Progress progress(options.quiet);
  sandbox::DemoOptions where;
  where.state = options.state;
  where.crds = options.source / "crds";
  where.operator_arguments = options.operator_arguments;
  sandbox::DemoCluster cluster(where, clock);
  Demo demo(options, cluster, progress, stop);
  if (const Status done = demo.run(); !done) {
    progress.failed(done.error().message);
    if (!stop.stop_requested() && !cluster.state().empty())
      progress.print(
          fmt::format("---- last lines of the operator's log\n{}---- last lines of the worker's log\n{}",
                      cluster.operator_log_tail(15),
                      cluster.pod_log_tail({demo.link().ns, twinspan::s3_lease_name(demo.link().name, 0)}, 30)));
    fmt::print("demo: failed: {}\n", stop.stop_requested() ? "interrupted" : done.error().message);
    return 1;
  }
  if (options.keep) cluster.leave_running("replicationlinks,statefulsets,pods", demo.link().ns, stop);
  const Figures& figures = demo.figures();
  fmt::print(
      "demo: {} objects in {} ms, a new one in {} ms, a killed worker back and consistent in {} ms, failover in {} ms, "
      "reconciled and back in {} ms\n",
      options.objects + 6, figures.sync.count(), figures.arrival.count(), figures.recovery.count(),
      figures.failover.count(), figures.failback.count());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Twinspan's demo of S3 links: two buckets kept equal, and proven so. For trying out only."};
  app.add_option("--source", options.source, "Folder with crds/ and examples/")->check(CLI::ExistingDirectory);
  app.add_option("--state", options.state,
                 "Folder for logs, kept afterwards. Default: a fresh one, removed at the end");
  app.add_option("--objects", options.objects, "How many objects of 16 KiB to begin with")
      ->check(CLI::Range(1, 100000));
  app.add_flag("--keep", options.keep, "Leave everything running until Ctrl-C, and print the kubeconfig");
  app.add_flag("--quiet", options.quiet, "Only the last line");
  app.add_option("--operator-argument", options.operator_arguments, "Handed to the operator as it is");
  CLI11_PARSE(app, argc, argv);
  twinspan::log::configure(twinspan::log::Level::kError, {{"component", "demo"}});

  const twinspan::Signals signals(std::chrono::seconds(60), {SIGTERM, SIGINT, SIGHUP});
  return run(options, signals.stop_token());
}
