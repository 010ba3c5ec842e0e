#include "worker/s3/bucket_probe.hpp"

#include "core/log.hpp"
#include "core/wait.hpp"
#include "worker/s3/connection.hpp"

namespace twinspan::worker_s3 {

std::optional<Reach> reach_of(const Error& error) {
  switch (error.code) {
    case Code::kCancelled: return std::nullopt;
    case Code::kThrottled: return Reach::kReachable;
    case Code::kDenied:
    case Code::kNotFound:
    case Code::kInvalid: return Reach::kRefused;
    default: return Reach::kUnreachable;
  }
}

BucketProbe::BucketProbe(api::Endpoint endpoint, Config config, const Clock& clock, std::function<void()> changed)
    : endpoint_(std::move(endpoint)), config_(std::move(config)), clock_(clock), changed_(std::move(changed)) {
  seen_.name = endpoint_.name;
  thread_.start([this](const std::stop_token& stop) { run(stop); });
}

PlaceSeen BucketProbe::seen() const {
  const BootTime now = clock_.boot_now();
  MutexLock lock(mutex_);
  PlaceSeen out = seen_;
  if (now - measured_at_ > config_.stale) {
    out.reach = Reach::kUnknown;
    out.writable.reset();
    out.failures = 0;
    out.since.clear();
    return out;
  }
  out.reach_for = std::chrono::duration_cast<std::chrono::milliseconds>(now - since_);
  return out;
}

void BucketProbe::try_writes(bool wanted) {
  MutexLock lock(mutex_);
  try_writes_ = wanted;
  if (!wanted) seen_.writable.reset();
}

void BucketProbe::note(Reach reach, std::string message, BootTime asked_at, WallTime asked_wall) {
  bool news = false;
  {
    MutexLock lock(mutex_);
    news = seen_.reach != reach;
    if (news) {
      since_ = asked_at;
      seen_.since = to_rfc3339(asked_wall);
      seen_.failures = 0;
    }
    seen_.reach = reach;
    seen_.message = std::move(message);
    if (reach == Reach::kUnreachable) ++seen_.failures;
    measured_at_ = clock_.boot_now();
  }
  if (!news) return;
  log::info("bucket seen", {{"endpoint", endpoint_.name}, {"reach", to_string(reach)}});
  changed_();
}

void BucketProbe::try_to_write(s3::Bucket& bucket, const std::stop_token& stop) {
  const auto written = bucket.put({config_.trial_key}, "", stop);
  if (!written && written.error().code == Code::kCancelled) return;
  MutexLock lock(mutex_);
  if (try_writes_) seen_.writable = written.has_value();
}

void BucketProbe::run(const std::stop_token& stop) {
  std::unique_ptr<s3::Client> client;
  std::optional<BootTime> written_at;
  do {
    const BootTime asked_at = clock_.boot_now();
    const WallTime asked_wall = clock_.wall_now();
    if (!client) {
      auto made = connect(endpoint_, config_.s3_dir, 1, clock_, {1, config_.timeout});
      if (!made) {
        note(Reach::kRefused, made.error().message, asked_at, asked_wall);
        continue;
      }
      client = std::move(*made);
    }
    s3::ListRequest one;
    one.prefix = endpoint_.s3->prefix;
    one.max_keys = 1;
    const auto page = client->list(one, stop);
    const auto reach = page ? std::optional(Reach::kReachable) : reach_of(page.error());
    if (!reach) return;
    note(*reach, page ? "" : page.error().message, asked_at, asked_wall);
    if (*reach == Reach::kRefused) client.reset();  // other files may be mounted by now
    bool due = false;
    {
      MutexLock lock(mutex_);
      due = *reach == Reach::kReachable && client && try_writes_ &&
            (!seen_.writable || !*seen_.writable || !written_at || asked_at - *written_at >= config_.trial_interval);
    }
    if (!due) continue;
    written_at = asked_at;
    try_to_write(*client, stop);
  } while (wait_for(config_.interval, stop));
}

}  // namespace twinspan::worker_s3
