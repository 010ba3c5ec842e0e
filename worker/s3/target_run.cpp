#include "worker/s3/target_run.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "net/http.hpp"
#include "worker/s3/connection.hpp"
#include "worker/s3/mounted_key.hpp"

namespace twinspan::worker_s3 {
namespace {

constexpr std::chrono::seconds kLookInterval{5};
constexpr std::chrono::milliseconds kTurn{200};

MemberState state_of(const s3::ReplicationStatus& engine) {
  switch (engine.state) {
    case s3::ReplicationState::kCatchingUp: return MemberState::kInitializing;
    case s3::ReplicationState::kInSync: return MemberState::kStreaming;
    case s3::ReplicationState::kReplicating: return MemberState::kCatchingUp;
    case s3::ReplicationState::kFailing: break;
  }
  return engine.lag_seconds ? MemberState::kCatchingUp : MemberState::kInitializing;
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

std::vector<std::string> notified_keys(std::string_view line) {
  std::vector<std::string> keys;
  const Json json = Json::parse(line, nullptr, false);
  for (const Json& record : member_of(json, "Records")) {
    std::string key = text_of(member_of(member_of(record, "s3"), "object"), "key");
    std::replace(key.begin(), key.end(), '+', ' ');  // encoded as forms are
    if (!key.empty()) keys.push_back(net::percent_decode(key));
  }
  return keys;
}

TargetRun::TargetRun(RouteSpec spec, std::string s3_dir, const Clock& clock, std::function<void()> changed)
    : spec_(std::move(spec)), s3_dir_(std::move(s3_dir)), clock_(clock), changed_(std::move(changed)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

TargetRun::~TargetRun() = default;

TargetSnapshot TargetRun::snapshot() const {
  TargetSnapshot out;
  out.name = spec_.target.name;
  out.share = spec_.share.index;
  std::shared_ptr<s3::Replicator> replicator;
  {
    std::lock_guard lock(mutex_);
    out.message = message_;
    out.at_fault = at_fault_;
    out.stall = stall_;
    replicator = replicator_;
    if (record_) out.record = *record_;
    out.caught_up = clean_;
  }
  if (replicator) {
    out.engine = replicator->status();
    out.state = state_of(*out.engine);
    if (out.message.empty()) out.message = out.engine->message;
    if (!out.record.reconciled && out.message.empty()) out.message = "both sides are reconciled after a failover";
  }
  out.caught_up = out.caught_up && out.engine && out.engine->outstanding_keys == 0;
  if (!out.at_fault.empty()) out.state = out.stall ? MemberState::kFailed : MemberState::kDisconnected;
  return out;
}

void TargetRun::verify() {
  std::lock_guard lock(mutex_);
  if (!replicator_) return;
  s3::VerifySettings settings;
  settings.read_back = spec_.settings.verification.read_back;
  replicator_->verify_now(settings);
}

// `endpoint` empty: nothing is wrong.
void TargetRun::note(const std::string& endpoint, std::string message, std::optional<Stall> stall) {
  {
    std::lock_guard lock(mutex_);
    if (at_fault_ == endpoint && message_ == message && stall_ == stall) return;
    at_fault_ = endpoint;
    message_ = message;
    stall_ = std::move(stall);
  }
  if (!endpoint.empty()) log::warn("bucket does not answer", {{"endpoint", endpoint}, {"message", message}});
  changed_();
}

// Whether the bucket answers; what it says instead is noted.
bool TargetRun::look(s3::Bucket& bucket, const std::string& endpoint, const std::stop_token& stop) {
  s3::ListRequest one;
  one.max_keys = 1;
  const auto page = bucket.list(one, stop);
  if (!page && !stop.stop_requested())
    note(endpoint, fmt::format("{}: {}", endpoint, page.error().message),
         stall_of(endpoint, bucket.name(), page.error()));
  return page.has_value() && keeps_versions(bucket, endpoint, stop);
}

// Where every version is to be carried. Without versions on both sides a copy would replace what it must not.
bool TargetRun::keeps_versions(s3::Bucket& bucket, const std::string& endpoint, const std::stop_token& stop) {
  if (spec_.settings.versions != api::ObjectVersions::kAll) return true;
  const auto versioned = bucket.versioned(stop);
  if (versioned && *versioned) return true;
  if (versioned) {
    const std::string message =
        fmt::format("{}: bucket {}: versioning is not enabled, and spec.s3.versions is All", endpoint, bucket.name());
    note(endpoint, message, Stall{endpoint, "VersioningNotEnabled", message});
  } else if (!stop.stop_requested()) {
    note(endpoint, fmt::format("{}: {}", endpoint, versioned.error().message),
         stall_of(endpoint, bucket.name(), versioned.error()));
  }
  return false;
}

void TargetRun::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const bool turned = record_ && record_->reconciled;
    replicate(stop);
    if (!turned && record_ && record_->reconciled && !stop.stop_requested()) continue;
    wait_for(kLookInterval, stop);
  }
}

// False: the target doesn't answer. Only this thread changes the record.
bool TargetRun::learn_record(s3::Bucket& target, const std::stop_token& stop) {
  if (record_) return true;
  const std::string key = copy_record_key(spec_.ns, spec_.link, spec_.share);
  const auto stored = read_copy_record(target, key, stop);
  if (!stored) {
    if (!stop.stop_requested())
      note(spec_.target.name, fmt::format("{}: {}", spec_.target.name, stored.error().message),
           stall_of(spec_.target.name, target.name(), stored.error()));
    return false;
  }
  CopyRecord record = continued(*stored, spec_.direction);
  // What holds in a new epoch too is written at once: the one after it looks back no further than this one.
  if (stored->epoch > 0 && stored->epoch != record.epoch)
    if (const Status kept = write_copy_record(target, key, record, stop); !kept) {
      if (!stop.stop_requested())
        note(spec_.target.name, fmt::format("{}: {}", spec_.target.name, kept.error().message),
             stall_of(spec_.target.name, target.name(), kept.error()));
      return false;
    }
  std::lock_guard lock(mutex_);
  record_ = std::move(record);
  return true;
}

// After each full sync that reached its end.
void TargetRun::keep_record(s3::Bucket& target, const s3::ReplicationStatus& status, const std::stop_token& stop) {
  const s3::SyncProgress& sync = status.sync;
  if (!sync.complete || !sync.completed_at) return;
  CopyRecord record = *record_;
  record.listed_at = to_rfc3339(sync.started_at);
  record.sync_took = std::chrono::duration_cast<std::chrono::milliseconds>(*sync.completed_at - sync.started_at);
  const bool clean = sync.failed == 0;
  record.reconciled = record.reconciled || clean;
  if (record == *record_ && clean == clean_) return;
  if (record != *record_ &&
      !write_copy_record(target, copy_record_key(spec_.ns, spec_.link, spec_.share), record, stop))
    return;
  std::lock_guard lock(mutex_);
  record_ = std::move(record);
  clean_ = clean;
}

// Until it stops, or until a bucket refuses: everything is set up anew then, with the certificates of that time.
void TargetRun::replicate(const std::stop_token& stop) {
  const auto authorities = [this] {
    return std::array{authority_of(spec_.source, s3_dir_), authority_of(spec_.target, s3_dir_)};
  };
  const auto trusted = authorities();
  const int64_t at_once = spec_.settings.objects_at_once.max;
  const auto source = connect(spec_.source, s3_dir_, at_once, clock_),
             target = connect(spec_.target, s3_dir_, at_once, clock_);
  for (const auto& [side, endpoint] : {std::pair{&source, &spec_.source}, {&target, &spec_.target}})
    if (!*side)
      return note(endpoint->name, side->error().message, stall_of(endpoint->name, endpoint->s3->bucket, side->error()));
  const auto both_answer = [&] {
    return look(**source, spec_.source.name, stop) && look(**target, spec_.target.name, stop);
  };
  if (!learn_record(**target, stop) || !both_answer()) return;
  s3::Settings settings = engine_settings(spec_);
  auto key = mounted_key(spec_, s3_dir_);
  if (!key) {
    const std::string message = fmt::format("{}: {}", spec_.target.name, key.error().message);
    return note(spec_.target.name, message, Stall{spec_.target.name, "EncryptionKeyInvalid", message});
  }
  use_key(std::move(*key), settings);
  const bool both_ways = settings.both_ways;
  settings.both_ways = both_ways || !record_->reconciled;  // the record is this thread's
  if (settings.both_ways) settings.all_versions = false;   // two histories can't be made one
  note("", "", std::nullopt);
  s3::ReplicatorSettings more;
  more.listing_interval = std::chrono::seconds(spec_.settings.listing_interval_seconds);
  const auto side = [](s3::Client& client, const api::S3Endpoint& s3) {
    return s3::Side{client, s3.prefix, s3.endpoint};
  };
  const auto replicator = std::make_shared<s3::Replicator>(settings, more, side(**source, *spec_.source.s3),
                                                           side(**target, *spec_.target.s3), clock_);
  {
    std::lock_guard lock(mutex_);
    replicator_ = replicator;
  }
  {
    std::jthread running([&](const std::stop_token& own) { replicator->run(own); });
    std::jthread listening([&](const std::stop_token& own) {
      if (spec_.settings.detect != api::Detect::kListing)
        listen(
            **source, spec_.source, *replicator, [&](const auto& keys) { replicator->notify(keys); }, own);
    });
    std::jthread listening_too([&](const std::stop_token& own) {
      if (both_ways && spec_.settings.detect != api::Detect::kListing)
        listen(
            **target, spec_.target, *replicator, [&](const auto& keys) { replicator->notify_target(keys); }, own);
    });
    for (BootTime look_at = clock_.boot_now() + kLookInterval; wait_for(kTurn, stop);) {
      keep_record(**target, replicator->status(), stop);
      if (settings.both_ways && !both_ways && record_->reconciled) break;  // from now on one way
      if (clock_.boot_now() < look_at) continue;
      look_at = clock_.boot_now() + kLookInterval;
      const auto now = authorities();  // one that can't be read is being replaced
      if (now != trusted && now[0] && now[1]) break;
      if (key_changed(spec_, s3_dir_, settings)) break;
      const bool failing = replicator->status().state == s3::ReplicationState::kFailing;
      if ((!failing && !(*source)->troubled() && !(*target)->troubled()) || both_answer()) {
        note("", "", std::nullopt);
        continue;
      }
      std::lock_guard lock(mutex_);
      if (stall_) break;  // a network that is gone comes back by itself; a refusal may need other files
    }
  }
  std::lock_guard lock(mutex_);
  replicator_.reset();
}

// Where the server streams its changes. What it told nobody while the stream was cut, a sync finds.
void TargetRun::listen(s3::Client& bucket, const api::Endpoint& endpoint, s3::Replicator& replicator, const Told& told,
                       const std::stop_token& stop) {
  bool cut = false;
  while (!stop.stop_requested()) {
    if (cut) replicator.sync_now();
    const Status ended = bucket.listen(
        endpoint.s3->prefix,
        [&](std::string_view line) {
          if (const auto keys = notified_keys(line); !keys.empty()) told(keys);
          return !stop.stop_requested();
        },
        stop);
    if (!ended && ended.error().code == Code::kInvalid) {
      log::info("no notifications, listings find what changes",
                {{"endpoint", endpoint.name}, {"error", ended.error().message}});
      return;
    }
    cut = true;
    wait_for(kLookInterval, stop);
  }
}

}  // namespace twinspan::worker_s3
