#include "worker/s3/target_run.hpp"

#include <fmt/format.h>

#include "core/file.hpp"
#include "core/log.hpp"
#include "s3/credentials.hpp"

namespace twinspan::worker_s3 {
namespace {

constexpr std::chrono::seconds kRetryInterval{5};  // while a side can't be reached or refuses

std::shared_ptr<s3::CredentialSource> credentials_of(const api::Endpoint& endpoint, const std::string& folder,
                                                     const std::string& ca_pem, const Clock& clock) {
  if (endpoint.s3->credentials_secret_ref) return std::make_shared<s3::FileCredentials>(folder + "/credentials", clock);
  if (auto web = s3::WebIdentityCredentials::from_environment(endpoint.s3->region)) {
    if (web->ca_pem.empty()) web->ca_pem = ca_pem;
    return std::make_shared<s3::WebIdentityCredentials>(std::move(*web), clock);
  }
  return std::make_shared<s3::InstanceCredentials>(clock);
}

}  // namespace

std::optional<Stall> stall_of(const std::string& endpoint, const std::string& bucket, const Error& error) {
  const auto stall = [&](const char* reason) {
    return Stall{endpoint, reason, fmt::format("{}: bucket {}: {}", endpoint, bucket, error.message)};
  };
  if (error.code == Code::kDenied) return stall("AccessDenied");
  if (error.code == Code::kNotFound) return stall("BucketNotFound");
  if (error.code == Code::kInvalid) return stall("RequestRefused");
  return std::nullopt;
}

TargetRun::TargetRun(RouteSpec spec, std::string s3_dir, const Clock& clock, std::function<void()> changed)
    : spec_(std::move(spec)), s3_dir_(std::move(s3_dir)), clock_(clock), changed_(std::move(changed)) {
  last_.name = spec_.target.name;
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

TargetRun::~TargetRun() = default;

TargetSnapshot TargetRun::snapshot() const {
  std::lock_guard lock(mutex_);
  TargetSnapshot out = last_;
  if (running_ != nullptr) {
    out.sync = running_->progress();
    out.replicated_total += out.sync.replicated;
    out.failed_total += out.sync.failed;
    out.skipped_total += out.sync.skipped;
    out.bytes_total += out.sync.bytes;
  }
  if (transfers_ != nullptr) {
    const auto load = transfers_->load();
    out.queued = load.queued;
    out.active = load.active;
    if (out.state == MemberState::kStreaming && load.queued > 0) out.state = MemberState::kCatchingUp;
  }
  if (proven_at_)
    out.lag_seconds = std::max(0.0, std::chrono::duration<double>(clock_.wall_now() - *proven_at_).count());
  return out;
}

void TargetRun::note(MemberState state, std::string message, std::optional<Stall> stall) {
  {
    std::lock_guard lock(mutex_);
    if (last_.state == state && last_.message == message && last_.stall == stall) return;
    last_.state = state;
    last_.message = message;
    last_.stall = stall;
  }
  log::info("target", {{"endpoint", spec_.target.name}, {"state", to_string(state)}, {"message", message}});
  changed_();
}

void TargetRun::begin(const s3::SyncRun* run, const s3::Transfers* transfers) {
  std::lock_guard lock(mutex_);
  running_ = run;
  transfers_ = transfers;
}

void TargetRun::settle(const s3::SyncProgress& progress) {
  {
    std::lock_guard lock(mutex_);
    running_ = nullptr;
    transfers_ = nullptr;
    last_.sync = progress;
    last_.replicated_total += progress.replicated;
    last_.failed_total += progress.failed;
    last_.skipped_total += progress.skipped;
    last_.bytes_total += progress.bytes;
    if (progress.complete && progress.failed == 0) proven_at_ = progress.started_at;
  }
  log::info("sync over", {{"endpoint", spec_.target.name},
                          {"complete", progress.complete},
                          {"total", progress.total},
                          {"replicated", progress.replicated},
                          {"skipped", progress.skipped},
                          {"failed", progress.failed},
                          {"deleted", progress.deleted},
                          {"bytes", progress.bytes},
                          {"error", progress.error}});
  changed_();
}

Result<std::unique_ptr<s3::Client>> TargetRun::connect(const api::Endpoint& endpoint) const {
  const std::string folder = s3_dir_ + "/" + endpoint.name;
  std::string ca_pem;
  if (endpoint.s3->ca_secret_ref) {
    auto ca = read_file(folder + "/ca/ca.crt");
    if (!ca)
      return fail(Code::kDenied,
                  fmt::format("Secret {} does not exist, or has no key ca.crt", endpoint.s3->ca_secret_ref->name));
    ca_pem = std::move(*ca);
  }
  auto credentials = credentials_of(endpoint, folder, ca_pem, clock_);
  return std::make_unique<s3::Client>(client_config(*endpoint.s3, ca_pem, spec_.settings.objects_at_once.max),
                                      std::move(credentials), clock_);
}

// Whether the bucket answers; what it answers is noted where it is no.
Status TargetRun::look(s3::Bucket& bucket, const std::string& endpoint, const std::stop_token& stop) {
  s3::ListRequest one;
  one.max_keys = 1;
  const auto page = bucket.list(one, stop);
  if (page) return {};
  if (!stop.stop_requested()) {
    auto stall = stall_of(endpoint, bucket.name(), page.error());
    std::string message = fmt::format("{}: {}", endpoint, page.error().message);
    note(stall ? MemberState::kFailed : MemberState::kDisconnected, std::move(message), std::move(stall));
  }
  return std::unexpected(page.error());
}

void TargetRun::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    replicate(stop);
    wait_for(kRetryInterval, stop);
  }
}

// Until it stops or something has to be set up anew: other certificates, a side that can't be reached.
void TargetRun::replicate(const std::stop_token& stop) {
  const auto source = connect(spec_.source), target = connect(spec_.target);
  for (const auto& [side, endpoint] : {std::pair{&source, &spec_.source}, {&target, &spec_.target}})
    if (!*side)
      return note(MemberState::kFailed, side->error().message,
                  stall_of(endpoint->name, endpoint->s3->bucket, side->error()));
  s3::Route route(engine_settings(spec_), {**source, spec_.source.s3->prefix}, {**target, spec_.target.s3->prefix},
                  clock_);
  s3::UploadRecords records(route);
  s3::Transfers transfers(route, records);
  while (!stop.stop_requested()) {
    if (!look(**source, spec_.source.name, stop) || !look(**target, spec_.target.name, stop)) return;
    bool first = false;
    {
      std::lock_guard lock(mutex_);
      first = !proven_at_;
    }
    note(first ? MemberState::kInitializing : MemberState::kStreaming, first ? "the first sync runs" : "");
    s3::SyncRun sync(route, records, transfers);
    begin(&sync, &transfers);
    const s3::SyncProgress progress = sync.run(stop);
    settle(progress);
    if (stop.stop_requested()) return;
    if (!progress.complete) {
      note(MemberState::kDisconnected, progress.error);
      return;
    }
    std::string message = progress.failed > 0
                              ? fmt::format("{} objects failed, they are tried again in the next sync", progress.failed)
                              : "";
    if (!progress.deletes_withheld.empty() && progress.deletes_withheld != to_string(s3::DeletesWithheld::kNo))
      message += fmt::format("{}{} extra keys are kept: {}", message.empty() ? "" : "; ", progress.extra,
                             progress.deletes_withheld);
    note(MemberState::kStreaming, message);
    wait_for(std::chrono::seconds(spec_.settings.listing_interval_seconds), stop);
  }
}

}  // namespace twinspan::worker_s3
