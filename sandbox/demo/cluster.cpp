#include "sandbox/demo/cluster.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "core/log.hpp"
#include "core/wait.hpp"
#include "sandbox/api/patch.hpp"
#include "sandbox/runtime/files.hpp"
#include "sandbox/runtime/logs.hpp"

namespace twinspan::sandbox {
namespace {

namespace fs = std::filesystem;
constexpr const char* kWorkerImage = "twinspan-worker:sandbox";

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::optional<kube::Resource> resource_of(const Json& object) {
  for (const kube::Resource& known :
       {kube::kNamespaces, kube::kReplicationLinks, kube::kFailoverPolicies, kube::kBackupSchedules, kube::kBackups,
        kube::kRestores, kube::kSecrets, kube::kConfigMaps, kube::kServices, kube::kPods, kube::kServiceAccounts,
        kube::kRoles, kube::kRoleBindings, kube::kCustomResourceDefinitions, kube::kPersistentVolumeClaims})
    if (object.value("apiVersion", "") == known.api_version() && object.value("kind", "") == known.kind) return known;
  return std::nullopt;
}

}  // namespace

DemoCluster::DemoCluster(DemoOptions options, const Clock& clock) : options_(std::move(options)), clock_(clock) {
  if (options_.programs.empty()) options_.programs = default_shim().parent_path();
}

DemoCluster::~DemoCluster() { stop(); }

Status DemoCluster::start(std::stop_token stop) {
  state_ = options_.state;
  if (state_.empty()) {
    std::string pattern = "/tmp/twinspan-XXXXXX";  // short: Unix sockets live below it
    if (mkdtemp(pattern.data()) == nullptr) return fail(Code::kInternal, "no folder could be made under /tmp");
    state_ = pattern;
    own_state_ = true;
  }
  if (auto made = make_folder(state_, 0755, std::nullopt); !made) return made;
  for (const char* program : {"twinspan-worker", "twinspan-operator", "twinspan-sandbox-shim"})
    if (!fs::exists(options_.programs / program))
      return fail(Code::kInvalid, fmt::format("{} is missing", (options_.programs / program).string()));

  auto lane = NetworkLane::claim();
  if (!lane) return std::unexpected(lane.error());
  lane_.emplace(std::move(*lane));
  ApiOptions api;
  api.service_network = lane_->number();
  api_ = std::make_unique<ApiServer>(api);
  if (auto started = api_->start(); !started) return started;
  if (!options_.crds.empty())
    if (auto installed = api_->install_crds(options_.crds.string()); !installed) return installed;
  if (auto written = write_file(kubeconfig(), {api_->kubeconfig(), 0600}, std::nullopt); !written) return written;
  kube::Config config = api_->config();
  config.user_agent = "twinspan-demo";
  client_ = std::make_unique<kube::Client>(config);

  RuntimeOptions runtime;
  runtime.api = api_->config();
  runtime.api.user_agent = "twinspan-sandbox";
  runtime.state = state_;
  runtime.pod_network = lane_->pod_network();
  runtime.shim = options_.programs / "twinspan-sandbox-shim";
  runtime.images = {{"*twinspan-worker*", (options_.programs / "twinspan-worker").string()},
                    {"*twinspan-operator*", (options_.programs / "twinspan-s3-worker").string()}};  // of S3 links' pods
  runtime_ = std::make_unique<Runtime>(std::move(runtime), clock_);
  api_->handle_pods([this](const PodCall& call) {
    if (call.action == "log") return answer_log(*runtime_, call);
    net::OutgoingResponse out;
    out.status = 501;
    return out;
  });
  return runtime_->start(stop);
}

void DemoCluster::stop() {
  operator_.reset();
  if (runtime_) runtime_->stop();
  if (api_) api_->stop();  // its pod handler uses the runtime
  runtime_.reset();
  client_.reset();
  api_.reset();
  lane_.reset();
  std::error_code ignored;
  if (std::exchange(own_state_, false)) fs::remove_all(state_, ignored);
}

Status DemoCluster::start_operator() {
  Launch launch;
  launch.program = (options_.programs / "twinspan-operator").string();
  launch.argv = {launch.program, "--worker-image",    kWorkerImage, "--health-address",
                 "127.0.0.1:0",  "--metrics-address", "127.0.0.1:0"};
  launch.argv.insert(launch.argv.end(), options_.operator_arguments.begin(), options_.operator_arguments.end());
  launch.env = {{"PATH", "/usr/bin:/bin"},
                {"KUBECONFIG", kubeconfig().string()},
                {"HOME", state_.string()},
                {"POD_NAMESPACE", "twinspan-system"}};
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"})
    if (const char* value = std::getenv(name)) launch.env[name] = value;
  launch.work_dir = state_;
  launch.log_file = state_ / "operator.log";
  operator_ = std::make_unique<Container>(options_.programs / "twinspan-sandbox-shim", launch, clock_, [] {});
  constexpr std::chrono::milliseconds kPoll{5};
  while (!operator_->started_pid() && !operator_->exit()) wait_for(kPoll, {});
  if (const auto exit = operator_->exit(); exit && !exit->start_error.empty())
    return fail(Code::kUnavailable, fmt::format("{}: {}", launch.program, exit->start_error));
  return {};
}

void DemoCluster::kill_operator() {
  if (operator_) operator_->kill();
  operator_.reset();
}

bool DemoCluster::operator_runs() const { return operator_ && !operator_->exit(); }

Status DemoCluster::apply_file(const fs::path& path) {
  if (!fs::exists(path)) return fail(Code::kInvalid, fmt::format("{}: no such file", path.string()));
  auto documents = parse_yaml_documents(read_text(path));
  if (!documents) return fail(Code::kInvalid, fmt::format("{}: {}", path.string(), documents.error().message));
  for (const Json& document : *documents) {
    if (document.is_null()) continue;
    const auto resource = resource_of(document);
    if (!resource)
      return fail(Code::kInvalid,
                  fmt::format("{}: kind {} is not known to the demo", path.string(), document.value("kind", "")));
    if (auto applied = client_->apply(*resource, document, "twinspan-demo"); !applied)
      return std::unexpected(applied.error());
  }
  return {};
}

Result<pid_t> DemoCluster::postmaster(const kube::Key& pod) {
  const fs::path file = runtime_->volume_folder(pod, "data") / "pgdata" / "postmaster.pid";
  const pid_t pid = static_cast<pid_t>(std::atol(read_text(file).c_str()));
  const std::string name = read_text(fmt::format("/proc/{}/comm", pid));
  if (pid <= 1 || !name.starts_with("postgres"))
    return fail(Code::kNotFound, fmt::format("pod {} runs no PostgreSQL", pod.str()));
  return pid;
}

void DemoCluster::leave_running(const std::string& kinds, const std::string& ns, const std::stop_token& stop) const {
  fmt::print(
      "left running; Ctrl-C ends it and removes everything. To look at it:\n  export KUBECONFIG={}\n  kubectl get {} "
      "-n "
      "{}\n",
      kubeconfig().string(), kinds, ns);
  std::fflush(stdout);
  while (wait_for(std::chrono::hours(1), stop)) {
  }
}

std::string DemoCluster::operator_log_tail(size_t lines) const {
  return std::string(last_lines(read_text(state_ / "operator.log"), static_cast<long>(lines)));
}

std::string DemoCluster::pod_log_tail(const kube::Key& pod, size_t lines) const {
  const auto file =
      runtime_ ? runtime_->log_file(pod, "", false) : Result<fs::path>(fail(Code::kNotFound, "no runtime"));
  return file ? std::string(last_lines(read_text(*file), static_cast<long>(lines))) : file.error().message + "\n";
}

}  // namespace twinspan::sandbox
