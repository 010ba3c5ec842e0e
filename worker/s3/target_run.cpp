#include "worker/s3/target_run.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "net/http.hpp"
#include "worker/s3/connection.hpp"
#include "worker/s3/mounted_key.hpp"

namespace twinspan::worker_s3 {
namespace {

constexpr std::chrono::seconds kLookInterval{5};
constexpr std::chrono::milliseconds kTurn{200}, kAsk{50};

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

TargetRun::TargetRun(RouteSpec spec, std::string s3_dir, const Clock& clock, Clear clear, std::function<void()> changed)
    : spec_(std::move(spec)),
      s3_dir_(std::move(s3_dir)),
      clock_(clock),
      clear_(std::move(clear)),
      changed_(std::move(changed)) {
  thread_.start([this](const std::stop_token& stop) { run(stop); });
}

TargetRun::~TargetRun() = default;

TargetSnapshot TargetRun::snapshot() const {
  TargetSnapshot out;
  out.name = spec_.target.name;
  out.share = spec_.share.index;
  std::shared_ptr<s3::Replicator> replicator;
  WallTime until;
  {
    MutexLock lock(mutex_);
    out.message = message_;
    out.at_fault = at_fault_;
    out.stall = stall_;
    replicator = replicator_;
    if (shown_record_) out.record = *shown_record_;
    out.caught_up = clean_;
    until = both_ways_until_;
    out.forbidden = forbidden_;
  }
  if (replicator) {
    out.engine = replicator->status();
    out.state = state_of(*out.engine);
    if (out.message.empty()) out.message = out.engine->message;
    if (!out.record.reconciled && out.message.empty())
      out.message = out.record.equal_once ? fmt::format("until {} what clients still write to {} is brought to {}",
                                                        to_rfc3339(until), spec_.target.name, spec_.source.name)
                                          : "both sides are reconciled after a failover";
  }
  out.caught_up = out.caught_up && out.engine && out.engine->outstanding_keys == 0;
  if (!out.at_fault.empty()) out.state = out.stall ? MemberState::kFailed : MemberState::kDisconnected;
  return out;
}

void TargetRun::verify() {
  MutexLock lock(mutex_);
  if (!replicator_) return;
  s3::VerifySettings settings;
  settings.read_back = spec_.settings.verification.read_back;
  replicator_->verify_now(settings);
}

// `endpoint` empty: nothing is wrong.
void TargetRun::note(const std::string& endpoint, std::string message, std::optional<Stall> stall) {
  {
    MutexLock lock(mutex_);
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
    const auto stage = [this] { return record_ ? record_->reconciled + record_->equal_once : -1; };
    const int before = stage();
    replicate(stop);
    if (before >= 0 && stage() > before && !stop.stop_requested()) continue;
    wait_for(kLookInterval, stop);
  }
}

void TargetRun::set_record(CopyRecord record) {
  record_ = std::move(record);
  MutexLock lock(mutex_);
  shown_record_ = record_;
}

// False: the target doesn't answer.
bool TargetRun::learn_record(s3::Bucket& target, const std::stop_token& stop) {
  if (record_) return true;
  const auto learnt = learn_copy_record(target, spec_.ns, spec_.link, spec_.share, spec_.direction, stop);
  if (!learnt) {
    if (!stop.stop_requested())
      note(spec_.target.name, fmt::format("{}: {}", spec_.target.name, learnt.error().message),
           stall_of(spec_.target.name, target.name(), learnt.error()));
    return false;
  }
  stored_epoch_ = learnt->stored_epoch;
  set_record(learnt->record);
  return true;
}

// What holds in a new epoch too is written at once: the one after it looks back no further than this one.
bool TargetRun::carry_record_on(s3::Bucket& target, const std::stop_token& stop) {
  if (stored_epoch_ == 0 || stored_epoch_ == record_->epoch) return true;
  const Status kept = write_copy_record(target, copy_record_key(spec_.ns, spec_.link, spec_.share), *record_, stop);
  if (kept) stored_epoch_ = record_->epoch;
  if (!kept && !stop.stop_requested())
    note(spec_.target.name, fmt::format("{}: {}", spec_.target.name, kept.error().message),
         stall_of(spec_.target.name, target.name(), kept.error()));
  return kept.has_value();
}

// nullopt: not yet, or not at all; why is noted.
std::optional<Clearance> TargetRun::cleared(const std::stop_token& stop) {
  const BootTime until = clock_.boot_now() + kLookInterval;
  Clearance clearance = clear_(spec_.direction, spec_.target.name);
  while (clearance.permission.permit == Permit::kUnknown && clock_.boot_now() < until && wait_for(kAsk, stop))
    clearance = clear_(spec_.direction, spec_.target.name);
  const Permission& said = clearance.permission;
  {
    MutexLock lock(mutex_);
    forbidden_ = said.permit == Permit::kRefused;
  }
  if (said.permit == Permit::kAllowed) return clearance;
  if (!stop.stop_requested())
    note(said.at, said.message,
         said.permit == Permit::kRefused
             ? std::optional(Stall{said.at, std::string(to_string(said.reason)), said.message})
             : std::nullopt);
  return std::nullopt;
}

// After each full sync that reached its end.
void TargetRun::keep_record(s3::Bucket& target, const s3::ReplicationStatus& status, const std::stop_token& stop) {
  const s3::SyncProgress& sync = status.sync;
  if (!sync.tried || !sync.completed_at) return;
  CopyRecord record = *record_;
  record.listed_at = to_rfc3339(sync.started_at);
  record.sync_took = std::chrono::duration_cast<std::chrono::milliseconds>(*sync.completed_at - sync.started_at);
  const bool clean = sync.failed == 0 && sync.archived == 0;
  record.equal_once = record.equal_once || clean;
  {
    MutexLock lock(mutex_);
    record.reconciled = record.reconciled || (clean && sync.started_at >= both_ways_until_);
    if (record == *record_ && clean == clean_) return;
  }
  if (record != *record_ &&
      !write_copy_record(target, copy_record_key(spec_.ns, spec_.link, spec_.share), record, stop))
    return;
  record_ = std::move(record);
  MutexLock lock(mutex_);
  shown_record_ = record_;
  clean_ = clean;
}

TargetRun::Authorities TargetRun::authorities() const {
  return {authority_of(spec_.source, s3_dir_), authority_of(spec_.target, s3_dir_)};
}

bool TargetRun::both_answer(const Ends& ends, const std::stop_token& stop) {
  return look(*ends.source, spec_.source.name, stop) && look(*ends.target, spec_.target.name, stop);
}

// Until it stops, or until a bucket refuses: everything is set up anew then, with the certificates of that time.
void TargetRun::replicate(const std::stop_token& stop) {
  const Authorities trusted = authorities();
  const int64_t at_once = spec_.settings.objects_at_once.max;
  auto source = connect(spec_.source, s3_dir_, at_once, clock_),
       target = connect(spec_.target, s3_dir_, at_once, clock_);
  for (const auto& [side, endpoint] : {std::pair{&source, &spec_.source}, {&target, &spec_.target}})
    if (!*side)
      return note(endpoint->name, side->error().message, stall_of(endpoint->name, endpoint->s3->bucket, side->error()));
  const Ends ends{std::move(*source), std::move(*target)};
  if (!learn_record(*ends.target, stop) || !both_answer(ends, stop)) return;
  const auto clearance = cleared(stop);
  if (!clearance) return;
  if (clearance->equal && !record_->equal_once) {  // a clean switchover: there is nothing to reconcile
    CopyRecord record = *record_;
    record.equal_once = true;
    set_record(std::move(record));
  }
  if (!carry_record_on(*ends.target, stop)) return;
  const auto way = way_of(*clearance);
  if (!way) return;
  note("", "", std::nullopt);
  s3::ReplicatorSettings more;
  more.listing_interval = std::chrono::seconds(spec_.settings.listing_interval_seconds);
  const auto side = [](s3::Client& client, const api::S3Endpoint& s3) {
    return s3::Side{client, s3.prefix, s3.endpoint};
  };
  const auto replicator = std::make_shared<s3::Replicator>(way->settings, more, side(*ends.source, *spec_.source.s3),
                                                           side(*ends.target, *spec_.target.s3), clock_);
  {
    MutexLock lock(mutex_);
    replicator_ = replicator;
  }
  carry(ends, *way, trusted, *replicator, stop);
  MutexLock lock(mutex_);
  replicator_.reset();
}

// nullopt: the key can't be used, as is noted.
std::optional<TargetRun::Way> TargetRun::way_of(const Clearance& clearance) {
  s3::Settings settings = engine_settings(spec_);
  if (const auto began = parse_rfc3339(clearance.began)) settings.deletes.not_before = *began;
  const auto since = parse_rfc3339(clearance.since);
  MutexLock until(mutex_);
  both_ways_until_ = (since ? *since : clock_.wall_now()) + std::chrono::seconds(spec_.direction.both_ways_seconds);
  until.unlock();
  auto key = mounted_key(spec_, s3_dir_);
  if (!key) {
    const std::string message = fmt::format("{}: {}", spec_.target.name, key.error().message);
    note(spec_.target.name, message, Stall{spec_.target.name, "EncryptionKeyInvalid", message});
    return std::nullopt;
  }
  use_key(std::move(*key), settings);
  const bool always = settings.both_ways;
  settings.both_ways = always || !record_->reconciled;  // the record is this thread's
  const bool late = !always && settings.both_ways && record_->equal_once;
  settings.source_leads = !always && settings.both_ways;
  if (settings.source_leads) settings.led_since = clearance.led;
  if (late) settings.late_since = clearance.turned;
  if (settings.both_ways) settings.all_versions = false;  // two histories can't be made one
  return Way{std::move(settings), always, late};
}

// Listens to what changes while the replicator runs.
void TargetRun::carry(const Ends& ends, const Way& way, const Authorities& trusted, s3::Replicator& replicator,
                      const std::stop_token& stop) {
  RoleThread running("replicator", [&](const std::stop_token& own) { replicator.run(own); });
  RoleThread listening("notifications", [&](const std::stop_token& own) {
    if (spec_.settings.detect != api::Detect::kListing)
      listen(
          *ends.source, spec_.source, replicator, [&](const auto& keys) { replicator.notify(keys); }, own);
  });
  RoleThread listening_too("notifications", [&](const std::stop_token& own) {
    if (way.always_both && spec_.settings.detect != api::Detect::kListing)
      listen(
          *ends.target, spec_.target, replicator, [&](const auto& keys) { replicator.notify_target(keys); }, own);
  });
  for (BootTime look_at = clock_.boot_now() + kLookInterval; wait_for(kTurn, stop);) {
    if (clear_(spec_.direction, spec_.target.name).permission.permit != Permit::kAllowed) break;
    keep_record(*ends.target, replicator.status(), stop);
    if (way_over(way)) break;
    if (clock_.boot_now() < look_at) continue;
    look_at = clock_.boot_now() + kLookInterval;
    const Authorities now = authorities();  // one that can't be read is being replaced
    if (now != trusted && now[0] && now[1]) break;
    if (key_changed(spec_, s3_dir_, way.settings)) break;
    const bool failing = replicator.status().state == s3::ReplicationState::kFailing;
    if ((!failing && !ends.source->troubled() && !ends.target->troubled()) || both_answer(ends, stop)) {
      note("", "", std::nullopt);
      continue;
    }
    MutexLock lock(mutex_);
    if (stall_) break;  // a network that is gone comes back by itself; a refusal may need other files
  }
}

// Whether what was carried back for the former primary's sake has done what it was for.
bool TargetRun::way_over(const Way& way) const {
  if (!way.settings.both_ways || way.always_both) return false;
  return record_->reconciled ||               // from now on one way
         (record_->equal_once && !way.late);  // only what comes late
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
