#include "sandbox/runtime/pod.hpp"

#include <fmt/format.h>

#include "core/log.hpp"

namespace twinspan::sandbox {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::milliseconds kRetry{200};
constexpr std::chrono::seconds kRefresh{20};  // of tokens; Secrets and ConfigMaps poke

std::string text(const Json& object, const char* field, const char* otherwise) {
  const auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

bool is_deleting(const Json& pod) {
  return pod.at("metadata").contains("deletionTimestamp") && !pod["metadata"]["deletionTimestamp"].is_null();
}

VolumeSources::Find find_in(const RuntimeCaches::Cache& cache, const std::string& ns) {
  return [&cache, ns](const std::string& name) { return cache.find({ns, name}); };
}

}  // namespace

PodRunner::PodRunner(const PodContext& context, std::shared_ptr<const Json> pod, std::string pod_ip, fs::path folder)
    : context_(context),
      key_{pod->at("metadata").at("namespace").get<std::string>(), pod->at("metadata").at("name").get<std::string>()},
      uid_(pod->at("metadata").at("uid").get<std::string>()),
      place_{std::move(pod_ip), "127.0.0.1", context.options.node},
      folder_(std::move(folder)),
      service_account_(text(pod->at("spec"), "serviceAccountName", "default")),
      volumes_(volume_sources(), context.clock, place_, folder_, context.options.state / "c", context.options.account),
      newest_(std::move(pod)) {
  const Json& spec = newest_->at("spec");
  const SlotSettings settings{context.options.shim, folder_ / "log", context.options.backoff_base,
                              context.options.backoff_limit};
  const std::string policy = text(spec, "restartPolicy", "Always");
  const auto wake = [this] { signal_.raise(); };
  for (const Json& container : spec.value("initContainers", Json::array()))
    init_slots_.push_back(std::make_unique<Slot>(container, policy == "Always" ? "OnFailure" : policy, place_.pod_ip,
                                                 settings, context.clock, wake));
  for (const Json& container : spec.at("containers"))
    slots_.push_back(std::make_unique<Slot>(container, policy, place_.pod_ip, settings, context.clock, wake));
  record_.place = place_;
  record_.started_at = context.clock.wall_now();
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

PodRunner::~PodRunner() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  slots_.clear();
  init_slots_.clear();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void PodRunner::update(std::shared_ptr<const Json> pod) {
  {
    std::lock_guard lock(mutex_);
    newest_ = std::move(pod);
  }
  signal_.raise();
}

void PodRunner::gone() {
  {
    std::lock_guard lock(mutex_);
    gone_ = true;
  }
  signal_.raise();
}

kube::ObjectRef PodRunner::reference() const { return {"v1", "Pod", key_.ns, key_.name, uid_}; }

std::shared_ptr<Container> PodRunner::container(const std::string& name) const {
  for (const auto& slot : slots_)
    if (name.empty() || slot->record().name == name) return slot->container();
  return nullptr;
}

Result<fs::path> PodRunner::log_file(const std::string& container, bool previous) const {
  for (const auto* slots : {&slots_, &init_slots_})
    for (const auto& slot : *slots)
      if (container.empty() || slot->record().name == container) {
        const fs::path file = slot->log_file(previous);
        if (!fs::exists(file))
          return fail(Code::kNotFound, fmt::format("container \"{}\" has no such log", slot->record().name));
        return file;
      }
  return fail(Code::kInvalid, fmt::format("container {} is not valid for pod {}", container, key_.name));
}

fs::path PodRunner::volume_folder(const std::string& volume) const {
  std::lock_guard lock(mutex_);
  const auto found = volume_folders_.find(volume);
  return found == volume_folders_.end() ? fs::path() : found->second;
}

void PodRunner::run(const std::stop_token& stop) {
  for (const fs::path& folder : {folder_, folder_ / "log", folder_ / "home"})
    if (auto made = make_folder(folder, 0755, folder == folder_ / "log" ? std::nullopt : context_.options.account);
        !made)
      log::error("pod folder can't be made", {{"pod", key_.str()}, {"error", made.error().message}});
  while (!stop.stop_requested() && !finished_) {
    try {
      step();
    } catch (const std::exception& error) {  // an object of a shape that the API server should not have let in
      log::error("pod can't be run", {{"pod", key_.str()}, {"error", error.what()}});
      retry_at_ = context_.clock.boot_now() + std::chrono::seconds(5);
    }
    if (!finished_) signal_.wait(until_next_step(), stop);
  }
}

std::chrono::nanoseconds PodRunner::until_next_step() const {
  const BootTime now = context_.clock.boot_now();
  BootTime next = now + std::chrono::seconds(30);
  for (const auto* slots : {&init_slots_, &slots_})
    for (const auto& slot : *slots)
      if (const auto at = slot->next_step()) next = std::min(next, *at);
  for (const auto& at : {retry_at_, next_refresh_})
    if (at) next = std::min(next, *at);
  return std::max<std::chrono::nanoseconds>(next - now, std::chrono::milliseconds(1));
}

void PodRunner::step() {
  std::shared_ptr<const Json> pod;
  bool gone = false;
  {
    std::lock_guard lock(mutex_);
    pod = newest_;
    gone = gone_;
  }
  retry_at_.reset();
  if (gone) {
    for (const auto* slots : {&slots_, &init_slots_})
      for (const auto& slot : *slots) {
        slot->stop(std::chrono::milliseconds(0));
        slot->step_stopping();
      }
    if (std::ranges::all_of(slots_, &Slot::stopped) && std::ranges::all_of(init_slots_, &Slot::stopped))
      finished_ = true;
    return;
  }
  if (is_deleting(*pod)) return step_ending(*pod);
  step_running(*pod);
  publish(*pod);
}

void PodRunner::step_running(const Json& pod) {
  const auto plan_for = [&](const Json& container) { return plan(pod, container); };
  const BootTime now = context_.clock.boot_now();
  if (auto synced = volumes_.sync(pod); !synced) {
    if (last_problem_ != synced.error().message)
      context_.events.warning(reference(), "FailedMount", synced.error().message);
    last_problem_ = synced.error().message;
    retry_at_ = now + kRetry;
    const bool begun = std::ranges::any_of(slots_, [](const auto& slot) { return !slot->record().id.empty(); });
    if (!begun) return;  // a volume that goes missing later does not stop what runs
  }
  {
    std::lock_guard lock(mutex_);
    for (const Json& volume : pod.at("spec").value("volumes", Json::array()))
      if (const auto folder = volumes_.folder_of(volume.value("name", "")))
        volume_folders_[volume.value("name", "")] = *folder;
  }
  next_refresh_ = now + kRefresh;
  if (!api_token_.token.empty() && now >= api_token_.renew_at) (void)write_kubeconfig(pod);
  for (const auto& slot : init_slots_) {
    slot->step(plan_for);
    const ContainerRecord& record = slot->record();
    if (!record.over || record.exit.code != 0) return;
  }
  for (const auto& slot : slots_) {
    const int restarts = slot->record().restarts;
    const std::string id = slot->record().id;
    slot->step(plan_for);
    const ContainerRecord& record = slot->record();
    if (record.id != id)
      context_.events.normal(reference(), "Started", fmt::format("Started container {}", record.name));
    if (record.restarts > restarts)
      log::info("container restarted", {{"pod", key_.str()},
                                        {"container", record.name},
                                        {"restarts", record.restarts},
                                        {"exit_code", record.last ? record.last->exit.code : 0}});
  }
}

void PodRunner::step_ending(const Json& pod) {
  const std::chrono::seconds grace(pod.at("metadata").value("deletionGracePeriodSeconds", 30));
  const bool all_stopped =
      std::ranges::all_of(slots_, &Slot::stopped) && std::ranges::all_of(init_slots_, &Slot::stopped);
  for (const auto* slots : {&slots_, &init_slots_})
    for (const auto& slot : *slots) {
      slot->stop(grace);
      slot->step_stopping();
    }
  const bool now_stopped =
      std::ranges::all_of(slots_, &Slot::stopped) && std::ranges::all_of(init_slots_, &Slot::stopped);
  publish(pod);
  if (!now_stopped) return;
  if (!all_stopped) log::info("pod stopped", {{"pod", key_.str()}});
  kube::DeleteOptions options;
  options.uid = uid_;
  options.grace_seconds = 0;
  const auto removed = context_.client.remove(kube::kPods, key_, options);
  if (removed || removed.error().code == Code::kNotFound || removed.error().code == Code::kConflict)
    finished_ = true;  // finalizers of others may hold the object; nothing of it runs
  else
    retry_at_ = context_.clock.boot_now() + kRetry;
}

void PodRunner::publish(const Json& pod) {
  record_.init_containers.clear();
  record_.containers.clear();
  for (const auto& slot : init_slots_) record_.init_containers.push_back(slot->record());
  for (const auto& slot : slots_) record_.containers.push_back(slot->record());
  Json present = pod;
  if (!published_.is_null())
    present["status"]["conditions"] = published_["conditions"];  // ours may not have come back yet
  Json status = pod_status(present, record_, context_.clock.wall_now());
  if (status == published_) return;
  // uid is a precondition: a pod of the same name that came after this one is none of our business.
  const auto written = context_.client.merge_patch(
      kube::kPods, key_, {{"metadata", {{"uid", uid_}}}, {"status", status}}, kube::Subresource::kStatus);
  if (written) {
    published_ = std::move(status);
    context_.caches.pods.wrote(*written);
  } else if (written.error().code == Code::kNotFound) {
    gone();
  } else {
    log::warn("pod status could not be written", {{"pod", key_.str()}, {"error", written.error().message}});
    retry_at_ = context_.clock.boot_now() + kRetry;
  }
}

Result<Launch> PodRunner::plan(const Json& pod, const Json& container) {
  if (auto written = write_kubeconfig(pod); !written) return std::unexpected(written.error());
  auto mounts = volumes_.mounts(container);
  if (!mounts) return std::unexpected(mounts.error());
  const fs::path last_words = folder_ / ("last-" + text(container, "name", ""));
  if (auto made = write_file(last_words, {"", 0600}, context_.options.account); !made)
    return std::unexpected(made.error());
  mounts->push_back({text(container, "terminationMessagePath", "/dev/termination-log"), last_words});
  const KeyLookup lookup = [&](std::string_view kind, const std::string& name,
                               const std::string& key) -> Result<std::string> {
    const auto object =
        (kind == "Secret" ? context_.caches.secrets : context_.caches.config_maps).find({key_.ns, name});
    if (!object) return fail(Code::kUnavailable, fmt::format("{} \"{}\" not found", kind, name));
    const auto values = kind == "Secret" ? secret_values(*object) : config_map_values(*object);
    const auto found = values.find(key);
    if (found == values.end())
      return fail(Code::kInvalid, fmt::format("couldn't find key {} in {} \"{}\"", key, kind, name));
    return found->second;
  };
  auto launch = plan_launch(pod, container, *mounts, context_.options.images, place_, lookup);
  if (!launch) return launch;
  const std::string work_dir = text(container, "workingDir", "");
  launch->work_dir = work_dir.empty() ? folder_ / "home" : fs::path(rewrite_paths(work_dir, *mounts));
  launch->account = context_.options.account;
  launch->last_words = last_words;
  launch->env.try_emplace("HOME", (folder_ / "home").string());
  for (const Mount& mount : *mounts)
    if (mount.container_path == "/tmp") launch->env.try_emplace("TMPDIR", mount.host_path.string());
  if (!api_token_.token.empty()) launch->env.try_emplace("KUBECONFIG", (folder_ / "kubeconfig").string());
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"})
    if (const char* value = std::getenv(name)) launch->env.try_emplace(name, value);
  return launch;
}

Result<ServiceAccountToken> PodRunner::mint_token(const std::string& audience, int expiration_seconds) {
  Json spec{{"expirationSeconds", std::max(600, expiration_seconds)}};
  if (!audience.empty()) spec["audiences"] = Json::array({audience});
  spec["boundObjectRef"] = {{"apiVersion", "v1"}, {"kind", "Pod"}, {"name", key_.name}, {"uid", uid_}};
  const Json request{{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenRequest"}, {"spec", spec}};
  const std::string path = fmt::format("/api/v1/namespaces/{}/serviceaccounts/{}/token", key_.ns, service_account_);
  auto answer = context_.client.raw("POST", path, request);
  if (!answer && answer.error().code == Code::kNotFound && service_account_ == "default") {
    // What the service account controller of a real cluster does for every namespace.
    const Json account{
        {"apiVersion", "v1"}, {"kind", "ServiceAccount"}, {"metadata", {{"name", "default"}, {"namespace", key_.ns}}}};
    (void)context_.client.create(kube::kServiceAccounts, account);
    answer = context_.client.raw("POST", path, request);
  }
  if (!answer)
    return fail(Code::kUnavailable,
                fmt::format("serviceaccount \"{}\": no token: {}", service_account_, answer.error().message));
  const auto lifetime = std::chrono::seconds(std::max(600, expiration_seconds));
  return ServiceAccountToken{answer->at("status").at("token").get<std::string>(),
                             context_.clock.boot_now() + lifetime * 4 / 5};
}

// What in-cluster configuration is to a pod: its API server, and itself as the user.
Status PodRunner::write_kubeconfig(const Json& pod) {
  if (!pod.at("spec").value("automountServiceAccountToken", true)) return {};
  if (!api_token_.token.empty() && context_.clock.boot_now() < api_token_.renew_at) return {};
  auto fresh = mint_token("", 3600);
  if (!fresh) return std::unexpected(fresh.error());
  const kube::Config& api = context_.client.config();
  Json cluster{{"server", api.server}};
  if (api.insecure_skip_tls_verify) cluster["insecure-skip-tls-verify"] = true;
  if (!api.tls_server_name.empty()) cluster["tls-server-name"] = api.tls_server_name;
  if (!api.ca_pem.empty()) {
    cluster["certificate-authority"] = (folder_ / "ca.crt").string();
    if (auto written = write_file(folder_ / "ca.crt", {api.ca_pem, 0644}, context_.options.account); !written)
      return written;
  }
  if (auto written = write_file(folder_ / "token", {fresh->token, 0600}, context_.options.account); !written)
    return written;
  const Json config{
      {"apiVersion", "v1"},
      {"kind", "Config"},
      {"current-context", "sandbox"},
      {"clusters", Json::array({{{"name", "sandbox"}, {"cluster", cluster}}})},
      {"users", Json::array({{{"name", "pod"}, {"user", {{"tokenFile", (folder_ / "token").string()}}}}})},
      {"contexts", Json::array({{{"name", "sandbox"},
                                 {"context", {{"cluster", "sandbox"}, {"user", "pod"}, {"namespace", key_.ns}}}}})}};
  if (auto written = write_file(folder_ / "kubeconfig", {config.dump(2), 0600}, context_.options.account); !written)
    return written;
  api_token_ = *fresh;
  return {};
}

VolumeSources PodRunner::volume_sources() {
  VolumeSources out;
  out.secret = find_in(context_.caches.secrets, key_.ns);
  out.config_map = find_in(context_.caches.config_maps, key_.ns);
  out.claim = find_in(context_.caches.claims, key_.ns);
  out.token = [this](const std::string& audience, int seconds) { return mint_token(audience, seconds); };
  out.ca_pem = context_.client.config().ca_pem;
  return out;
}

}  // namespace twinspan::sandbox
