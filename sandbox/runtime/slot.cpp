#include "sandbox/runtime/slot.hpp"

#include <fmt/format.h>

#include <csignal>
#include <fstream>

namespace twinspan::sandbox {
namespace {

using Phase = ContainerRecord::Phase;
constexpr std::chrono::milliseconds kMissingRetry{200};
constexpr size_t kMessageMost = 4096;  // as kubelet has it
constexpr int kCalmFactor = 2;         // a run longer than this many back-off limits forgets earlier failures

std::string head_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(kMessageMost, 0);
  in.read(text.data(), kMessageMost);
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

}  // namespace

Slot::Slot(Json container, std::string restart_policy, std::string pod_ip, const SlotSettings& settings,
           const Clock& clock, std::function<void()> wake)
    : spec_(std::move(container)),
      restart_policy_(std::move(restart_policy)),
      pod_ip_(std::move(pod_ip)),
      settings_(settings),
      clock_(clock),
      wake_(std::move(wake)) {
  record_.name = spec_.value("name", "");
  record_.image = spec_.value("image", "");
}

Slot::~Slot() = default;

std::shared_ptr<Container> Slot::container() const {
  std::lock_guard lock(mutex_);
  return process_;
}

std::filesystem::path Slot::log_file(bool previous) const {
  return settings_.log_folder /
         fmt::format("{}.{}.log", record_.name, previous ? attempt_.load() - 1 : attempt_.load());
}

void Slot::start(const Plan& plan) {
  auto launch = plan(spec_);
  if (!launch) {
    record_.phase = Phase::kWaiting;
    const Code code = launch.error().code;
    record_.reason = code == Code::kNotFound      ? "ErrImagePull"
                     : code == Code::kUnavailable ? "ContainerCreating"
                                                  : "CreateContainerConfigError";
    record_.message = launch.error().message;
    retry_at_ = clock_.boot_now() + kMissingRetry;
    return;
  }
  attempt_ += 1;
  record_.restarts = attempt_ - 1;
  restart_at_.reset();
  retry_at_.reset();
  launch->log_file = log_file(false);
  last_words_ = launch->last_words;
  started_boot_ = clock_.boot_now();
  auto process = std::make_shared<Container>(settings_.shim, *launch, clock_, wake_);
  record_.phase = Phase::kRunning;
  record_.id = fmt::format("sandbox://{}-{}", record_.name, attempt_.load());
  record_.started_at = process->started_at();
  record_.started = record_.ready = false;
  const Json ports = spec_.value("ports", Json::array());
  const auto prober = [&](const char* field, bool initially) {
    return spec_.contains(field) ? std::make_unique<Prober>(spec_[field], ports, pod_ip_, initially, wake_) : nullptr;
  };
  startup_ = prober("startupProbe", false);
  if (!startup_) {
    readiness_ = prober("readinessProbe", false);
    liveness_ = prober("livenessProbe", true);
  }
  std::lock_guard lock(mutex_);
  process_ = std::move(process);
}

bool Slot::notice_end() {
  if (!process_) return false;
  const auto exit = process_->exit();
  if (!exit) return false;
  startup_.reset();
  readiness_.reset();
  liveness_.reset();
  kill_at_.reset();
  {
    std::lock_guard lock(mutex_);
    process_.reset();
  }
  record_.phase = Phase::kTerminated;
  record_.exit = *exit;
  if (!last_words_.empty()) record_.exit.message = head_of(last_words_);
  record_.started = record_.ready = false;
  return true;
}

void Slot::schedule_restart() {
  const bool again = restart_policy_ == "Always" || (restart_policy_ == "OnFailure" && record_.exit.code != 0);
  if (!again) {
    record_.over = true;
    return;
  }
  const BootTime now = clock_.boot_now();
  if (now - started_boot_ > kCalmFactor * settings_.backoff_limit) failures_ = 0;
  restart_at_ = now + restart_delay(failures_++, settings_.backoff_base, settings_.backoff_limit);
}

void Slot::read_probes() {
  if (startup_ && startup_->failed()) return stop(std::chrono::milliseconds(0));
  record_.started = !startup_ || startup_->passed();
  if (!record_.started) return;
  if (startup_ && !readiness_ && spec_.contains("readinessProbe"))
    readiness_ =
        std::make_unique<Prober>(spec_["readinessProbe"], spec_.value("ports", Json::array()), pod_ip_, false, wake_);
  if (startup_ && !liveness_ && spec_.contains("livenessProbe"))
    liveness_ =
        std::make_unique<Prober>(spec_["livenessProbe"], spec_.value("ports", Json::array()), pod_ip_, true, wake_);
  record_.ready = !readiness_ || readiness_->passed();
  if (liveness_ && liveness_->failed() && !kill_at_)
    stop(std::chrono::seconds(spec_["livenessProbe"].value("terminationGracePeriodSeconds", 30)));
}

void Slot::step(const Plan& plan) {
  if (record_.over) return;
  if (notice_end()) schedule_restart();
  if (record_.over) return;
  const BootTime now = clock_.boot_now();
  if (process_) {
    if (kill_at_ && now >= *kill_at_) process_->kill();
    if (process_->started_pid()) read_probes();
    return;
  }
  if (restart_at_ && record_.phase == Phase::kTerminated) {
    record_.last = {record_.id, record_.started_at, record_.exit};
    record_.phase = Phase::kWaiting;
    record_.reason = "CrashLoopBackOff";
    const auto delay = std::chrono::ceil<std::chrono::seconds>(*restart_at_ - now);
    record_.message = fmt::format("back-off {}s restarting failed container={}", delay.count(), record_.name);
  }
  if (restart_at_ && now < *restart_at_) return;
  if (retry_at_ && now < *retry_at_) return;
  start(plan);
}

void Slot::stop(std::chrono::milliseconds grace) {
  if (!process_) return;
  const BootTime at = clock_.boot_now() + grace;
  if (!kill_at_ && grace.count() > 0) process_->signal(SIGTERM);
  if (!kill_at_ || at < *kill_at_) kill_at_ = at;
  if (grace.count() <= 0) process_->kill();
}

void Slot::step_stopping() {
  if (notice_end()) record_.over = true;
  if (process_ && kill_at_ && clock_.boot_now() >= *kill_at_) process_->kill();
}

std::optional<BootTime> Slot::next_step() const {
  std::optional<BootTime> out;
  for (const auto& at : {restart_at_, kill_at_, retry_at_})
    if (at && (!out || *at < *out)) out = at;
  if (record_.over) return std::nullopt;
  if (process_ && !kill_at_) return std::nullopt;  // its own thread and the probers' wake us
  return out;
}

}  // namespace twinspan::sandbox
