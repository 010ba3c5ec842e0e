#include "worker/s3/target_run.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "core/log.hpp"
#include "net/http.hpp"
#include "s3/credentials.hpp"
#include "worker/s3/mounted_key.hpp"

namespace twinspan::worker_s3 {
namespace {

constexpr std::chrono::seconds kLookInterval{5};

std::shared_ptr<s3::CredentialSource> credentials_of(const api::Endpoint& endpoint, const std::string& folder,
                                                     const std::string& ca_pem, const Clock& clock) {
  if (endpoint.s3->credentials_secret_ref) return std::make_shared<s3::FileCredentials>(folder + "/credentials", clock);
  if (auto web = s3::WebIdentityCredentials::from_environment(endpoint.s3->region)) {
    if (web->ca_pem.empty()) web->ca_pem = ca_pem;
    return std::make_shared<s3::WebIdentityCredentials>(std::move(*web), clock);
  }
  return std::make_shared<s3::InstanceCredentials>(clock);
}

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
  }
  if (replicator) {
    out.engine = replicator->status();
    out.state = state_of(*out.engine);
    if (out.message.empty()) out.message = out.engine->message;
  }
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

// Empty: the system's authorities.
Result<std::string> TargetRun::authority_of(const api::Endpoint& endpoint) const {
  if (!endpoint.s3->ca_secret_ref) return "";
  auto ca = read_file(s3_dir_ + "/" + endpoint.name + "/ca/ca.crt");
  if (!ca)
    return fail(Code::kDenied,
                fmt::format("Secret {} does not exist, or has no key ca.crt", endpoint.s3->ca_secret_ref->name));
  return ca;
}

Result<std::unique_ptr<s3::Client>> TargetRun::connect(const api::Endpoint& endpoint, const std::string& ca_pem) const {
  auto credentials = credentials_of(endpoint, s3_dir_ + "/" + endpoint.name, ca_pem, clock_);
  return std::make_unique<s3::Client>(client_config(*endpoint.s3, ca_pem, spec_.settings.objects_at_once.max),
                                      std::move(credentials), clock_);
}

// Whether the bucket answers; what it says instead is noted.
bool TargetRun::look(s3::Bucket& bucket, const std::string& endpoint, const std::stop_token& stop) {
  s3::ListRequest one;
  one.max_keys = 1;
  const auto page = bucket.list(one, stop);
  if (!page && !stop.stop_requested())
    note(endpoint, fmt::format("{}: {}", endpoint, page.error().message),
         stall_of(endpoint, bucket.name(), page.error()));
  return page.has_value();
}

void TargetRun::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    replicate(stop);
    wait_for(kLookInterval, stop);
  }
}

// Until it stops, or until a bucket refuses: everything is set up anew then, with the certificates of that time.
void TargetRun::replicate(const std::stop_token& stop) {
  const auto authorities = [this] { return std::array{authority_of(spec_.source), authority_of(spec_.target)}; };
  const auto trusted = authorities();
  const auto connected = [this](const api::Endpoint& endpoint, const Result<std::string>& ca) {
    return ca ? connect(endpoint, *ca) : std::unexpected(ca.error());
  };
  const auto source = connected(spec_.source, trusted[0]), target = connected(spec_.target, trusted[1]);
  for (const auto& [side, endpoint] : {std::pair{&source, &spec_.source}, {&target, &spec_.target}})
    if (!*side)
      return note(endpoint->name, side->error().message, stall_of(endpoint->name, endpoint->s3->bucket, side->error()));
  const auto both_answer = [&] {
    return look(**source, spec_.source.name, stop) && look(**target, spec_.target.name, stop);
  };
  if (!both_answer()) return;
  s3::Settings settings = engine_settings(spec_);
  auto key = mounted_key(spec_, s3_dir_);
  if (!key) {
    const std::string message = fmt::format("{}: {}", spec_.target.name, key.error().message);
    return note(spec_.target.name, message, Stall{spec_.target.name, "EncryptionKeyInvalid", message});
  }
  use_key(std::move(*key), settings);
  note("", "", std::nullopt);
  s3::ReplicatorSettings more;
  more.listing_interval = std::chrono::seconds(spec_.settings.listing_interval_seconds);
  const auto replicator = std::make_shared<s3::Replicator>(
      settings, more, s3::Side{**source, spec_.source.s3->prefix, spec_.source.s3->endpoint},
      s3::Side{**target, spec_.target.s3->prefix, spec_.target.s3->endpoint}, clock_);
  {
    std::lock_guard lock(mutex_);
    replicator_ = replicator;
  }
  const bool both_ways = spec_.topology == api::Topology::kActiveActive;
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
    while (wait_for(kLookInterval, stop)) {
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
