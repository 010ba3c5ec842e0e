// twinspan-demo-s3: from manifests to two buckets that are proven equal, on this machine, without a cluster. Whatever
// is not as it should be ends it with an error: it is the integration test of S3 links as well.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "core/signals.hpp"
#include "core/wait.hpp"
#include "kube/base64.hpp"
#include "sandbox/demo_cluster.hpp"
#include "sandbox/demo_progress.hpp"
#include "sandbox/demo_table.hpp"
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
  milliseconds sync{0}, arrival{0}, recovery{0};
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
    for (const auto& step :
         {&Demo::start, &Demo::apply, &Demo::sync, &Demo::arrive, &Demo::differ, &Demo::survive, &Demo::remove})
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
    object["data"] = {{"accessKeyId", kube::base64_encode("demo")}, {"secretAccessKey", kube::base64_encode(secret)}};
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
    begun_ = SteadyClock::now();
    if (auto patched = cluster_.client().merge_patch(kube::kReplicationLinks, link_, patch); !patched)
      return std::unexpected(patched.error());
    progress_.done();
    return {};
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
          const auto there = static_cast<int64_t>(nyc_.server.objects(kTarget));
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
    const size_t before = nyc_.server.objects(kTarget);
    while (nyc_.server.objects(kTarget) <= before) {
      if (since(start) > kPatience.count()) return fail(Code::kInternal, "it never arrived in New York");
      if (!twinspan::wait_for(milliseconds(1), stop_)) return fail(Code::kCancelled, "interrupted");
    }
    figures_.arrival = milliseconds(since(start));
    progress_.done(fmt::format("in New York after {} ms", figures_.arrival.count()));
    return {};
  }

  Result<Json> verify(const std::string& request) {
    const Json patch{{"metadata", {{"annotations", {{"twinspan.dev/verify", request}}}}}};
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
    progress_.print(fmt::format("  a byte changed behind its back is found: {}", seen->dump()));
    return {};
  }

  Status survive() {
    progress_.begin("the worker is killed and starts again");
    const auto start = SteadyClock::now();
    if (!cluster_.runtime().kill({link_.ns, link_.name + "-s3-0"}))
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

  Status remove() {
    if (options_.keep) return {};
    const size_t before = nyc_.server.objects(kTarget);
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
    if (nyc_.server.objects(kTarget) != before)
      return fail(Code::kInternal, "deleting the link changed the target bucket");
    return {};
  }

  Status print_table() {
    const auto table = sandbox::get_table(cluster_.api().config(), kube::kReplicationLinks, link_.ns);
    progress_.print(
        fmt::format("\n$ kubectl get replicationlinks -n {}\n{}", link_.ns, table ? *table : table.error().message));
    return {};
  }

  const Options& options_;
  sandbox::DemoCluster& cluster_;
  sandbox::Progress& progress_;
  const std::stop_token stop_;
  const kube::Key link_{"backups", "backups-sgp-nyc"};
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
      progress.print(fmt::format("---- last lines of the operator's log\n{}---- last lines of the worker's log\n{}",
                                 cluster.operator_log_tail(15),
                                 cluster.pod_log_tail({demo.link().ns, demo.link().name + "-s3-0"}, 30)));
    fmt::print("demo: failed: {}\n", stop.stop_requested() ? "interrupted" : done.error().message);
    return 1;
  }
  if (options.keep) {
    fmt::print(
        "left running; Ctrl-C ends it and removes everything. To look at it:\n  export KUBECONFIG={}\n  kubectl "
        "get replicationlinks,statefulsets,pods -n {}\n",
        cluster.kubeconfig().string(), demo.link().ns);
    std::fflush(stdout);
    while (twinspan::wait_for(std::chrono::hours(1), stop)) {
    }
  }
  const Figures& figures = demo.figures();
  fmt::print("demo: {} objects in {} ms, a new one in {} ms, a killed worker back and consistent in {} ms\n",
             options.objects + 6, figures.sync.count(), figures.arrival.count(), figures.recovery.count());
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
