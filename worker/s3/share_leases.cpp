#include "worker/s3/share_leases.hpp"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "core/log.hpp"

namespace twinspan::worker_s3 {
namespace {

using std::chrono::milliseconds;

constexpr const char *kDivision = "twinspan.dev/division", *kWantedBy = "twinspan.dev/wanted-by";

// A connection of its own, so that renewals wait for no other request, and a time-out that leaves room for several
// attempts before the deadline.
kube::Config own_config(const kube::Client& client, const ShareLeasesConfig& config) {
  kube::Config own = client.config();
  own.request_timeout = std::min(own.request_timeout, std::max(config.renew_deadline / 4, milliseconds(100)));
  own.connections = 1;
  own.requests_per_second = 0;
  return own;
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

}  // namespace

ShareLeases::ShareLeases(const kube::Client& client, const Clock& clock, ShareLeasesConfig config,
                         std::function<void()> changed, std::function<void(const std::string&)> lost)
    : config_(std::move(config)),
      client_(own_config(client, config_)),
      clock_(clock),
      changed_(std::move(changed)),
      lost_(std::move(lost)) {
  const size_t dash = config_.pod_name.rfind('-');
  prefix_ = config_.pod_name.substr(0, dash + 1);
  ordinal_ = number_of<int>(std::string_view(config_.pod_name).substr(dash + 1)).value_or(0);
}

void ShareLeases::divide(const Division& division) {
  {
    std::lock_guard lock(mutex_);
    if (division == division_) return;
    division_ = division;
  }
  wake_.raise();
}

std::set<int> ShareLeases::use(const Division& division) {
  std::lock_guard lock(mutex_);
  if (division != planned_ || division != division_) return {};
  in_use_.insert(use_.begin(), use_.end());
  return use_;
}

void ShareLeases::in_use(std::set<int> shares) {
  {
    std::lock_guard lock(mutex_);
    if (shares == in_use_) return;
    in_use_ = std::move(shares);
  }
  wake_.raise();  // what is no longer in use may be another's now
}

std::set<int> ShareLeases::held() const {
  std::lock_guard lock(mutex_);
  return held_;
}

std::string ShareLeases::holder() const {
  std::lock_guard lock(mutex_);
  return holder_;
}

void ShareLeases::run(std::stop_token stop) {
  while (!stop.stop_requested())
    if (!turn(stop)) wake_.wait(config_.retry, stop);
  release_all();
}

// True: something was changed, which is to be looked at.
bool ShareLeases::turn(const std::stop_token& stop) {
  SharesSeen seen;
  {
    std::lock_guard lock(mutex_);
    seen.division = division_;
    seen.in_use = in_use_;
    seen.in_use.insert(use_.begin(), use_.end());  // may become so at any moment, until it is said otherwise
  }
  const Status read = this->read(seen.division, stop);
  if (!read && !stop.stop_requested())
    log::warn("leases not read", {{"link", config_.link}, {"error", read.error().message}});
  check_tenures();
  bool changed = false;
  if (read) {
    seen.ordinal = ordinal_;
    seen.identity = config_.identity;
    seen.now = clock_.boot_now();
    if (!known_.empty()) seen.leases.resize(static_cast<size_t>(known_.rbegin()->first) + 1);
    for (const auto& [share, known] : known_) seen.leases[static_cast<size_t>(share)] = known.said;
    const SharesPlan plan = plan_shares(seen, config_.patience);
    settled_ = plan.settled;
    publish(plan, seen.division);
    for (const auto& [shares, change] :
         {std::pair{&plan.take, Change::kTake}, {&plan.mark, Change::kMark}, {&plan.release, Change::kRelease}})
      for (const int share : *shares)
        if (write(share, change, seen.division, stop)) changed = true;
    if (plan.ask) (void)write(ordinal_, Change::kAsk, seen.division, stop);
  }
  for (const int share : std::set<int>(mine_))
    if (clock_.boot_now() - known_[share].renewed >= config_.retry / 2)
      (void)write(share, Change::kRenew, seen.division, stop);
  std::lock_guard lock(mutex_);
  held_ = mine_;
  const auto own = known_.find(ordinal_);
  holder_ = own == known_.end() ? "" : own->second.said.holder;
  return changed && !stop.stop_requested();
}

void ShareLeases::publish(const SharesPlan& plan, const Division& division) {
  {
    std::lock_guard lock(mutex_);
    if (use_ == plan.use && planned_ == division) return;
    use_ = plan.use;
    planned_ = division;
  }
  changed_();
}

Status ShareLeases::read(const Division& division, const std::stop_token& stop) {
  if (alone(division)) {
    if (mine_.contains(0) && !look_) return {};
    auto lease = client_.get(kube::kLeases, {config_.ns, lease_name(0)}, stop);
    if (!lease && lease.error().code != Code::kNotFound) return std::unexpected(lease.error());
    look_ = false;
    std::erase_if(known_, [](const auto& known) { return known.first != 0; });
    if (lease) learn(0, std::move(*lease));
    if (!lease) known_.erase(0);
    return {};
  }
  if (!look_ && settled_ && clock_.boot_now() - looked_ < 2 * config_.retry) return {};
  std::map<int, Json> found;
  kube::ListOptions options;
  options.label_selector = "twinspan.dev/link=" + config_.link;
  const auto listed = client_.list(
      kube::kLeases, config_.ns, options,
      [&](Json&& lease) {
        const std::string name = text_of(member_of(lease, "metadata"), "name");
        if (!name.starts_with(prefix_)) return;
        if (const auto share = number_of<int>(std::string_view(name).substr(prefix_.size())); share && *share >= 0)
          found[*share] = std::move(lease);
      },
      stop);
  if (!listed) return std::unexpected(listed.error());
  look_ = false;
  looked_ = clock_.boot_now();
  std::erase_if(known_, [&](const auto& known) { return !found.contains(known.first); });
  for (auto& [share, lease] : found) learn(share, std::move(lease));
  return {};
}

void ShareLeases::learn(int share, Json lease) {
  Known& known = known_[share];
  const Json& meta = member_of(lease, "metadata");
  const std::string version = text_of(meta, "resourceVersion");
  if (text_of(member_of(lease, "spec"), "holderIdentity") == config_.identity) mine_.insert(share);
  if (version == known.version && !version.empty()) return;  // unchanged: its time goes on
  const Json &spec = member_of(lease, "spec"), &notes = member_of(meta, "annotations");
  known.said = {text_of(spec, "holderIdentity"), text_of(notes, kWantedBy),
                number_of<int64_t>(text_of(notes, kDivision)).value_or(0),
                std::chrono::seconds(integer_of(spec, "leaseDurationSeconds")), clock_.boot_now()};
  known.version = version;
  known.lease = std::move(lease);
}

// Whoever finds that it lost one has not stopped in time, or can't prove that it has: all must end at once.
void ShareLeases::check_tenures() {
  for (const int share : std::set<int>(mine_)) {
    const auto known = known_.find(share);
    const bool ours = known != known_.end() && known->second.said.holder == config_.identity;
    if (ours && clock_.boot_now() - known->second.renewed < config_.renew_deadline) continue;
    log::error("lease lost, leaving",
               {{"lease", lease_name(share)}, {"holder", known == known_.end() ? "" : known->second.said.holder}});
    mine_.erase(share);
    lost_(lease_name(share));
  }
}

Status ShareLeases::write(int share, Change change, const Division& division, const std::stop_token& stop) {
  Known& known = known_[share];
  Json lease = known.lease;
  Json &spec = lease["spec"], &notes = lease["metadata"]["annotations"];
  const std::string now = to_rfc3339_micro(clock_.wall_now());
  const BootTime sent = clock_.boot_now();
  if (change == Change::kAsk) {
    notes[kWantedBy] = config_.identity;
  } else {
    spec["renewTime"] = now;
    spec["holderIdentity"] = change == Change::kRelease ? "" : config_.identity;
    spec["leaseDurationSeconds"] =
        change == Change::kRelease ? 1 : std::chrono::ceil<std::chrono::seconds>(config_.duration).count();
  }
  if (change == Change::kTake) {
    spec["acquireTime"] = now;
    spec["leaseTransitions"] = integer_of(spec, "leaseTransitions") + 1;
    if (notes.is_object()) notes.erase(kWantedBy);
  }
  if ((change == Change::kTake || change == Change::kMark) && division.generation > 0)
    notes[kDivision] = std::to_string(division.generation);
  if (notes.is_null()) lease["metadata"].erase("annotations");
  // A write may arrive though its answer is lost: the next look tells.
  if (change == Change::kTake) known.renewed = sent;
  if (change == Change::kRelease) mine_.erase(share);
  auto written = client_.update(kube::kLeases, lease, kube::Subresource::kNone, stop);
  if (!written) {
    const Code code = written.error().code;
    if (change != Change::kRenew || code == Code::kConflict || code == Code::kNotFound) look_ = true;
    if (!stop.stop_requested() && change != Change::kTake)
      log::warn("lease not written", {{"lease", lease_name(share)}, {"error", written.error().message}});
    return std::unexpected(written.error());
  }
  if (change != Change::kRenew && !alone(division)) look_ = true;
  if (change != Change::kAsk) known.renewed = sent;
  if (change == Change::kTake || change == Change::kRelease)
    log::info(change == Change::kTake ? "lease taken" : "lease released",
              {{"lease", lease_name(share)}, {"division", division.generation}, {"shares", division.shares}});
  learn(share, std::move(*written));
  return {};
}

// A stop may have cut off a renewal that still arrived: the release then conflicts, and is repeated once upon what is
// there.
void ShareLeases::release_all() {
  Division division;
  {
    std::lock_guard lock(mutex_);
    division = division_;
    use_.clear();
  }
  for (const int share : std::set<int>(mine_)) {
    Status released = write(share, Change::kRelease, division, {});
    if (!released && released.error().code == Code::kConflict) {
      auto lease = client_.get(kube::kLeases, {config_.ns, lease_name(share)});
      if (lease) learn(share, std::move(*lease));
      if (lease && known_[share].said.holder == config_.identity)
        released = write(share, Change::kRelease, division, {});
    }
    if (!released)
      log::warn("lease not released, it expires by itself",
                {{"lease", lease_name(share)}, {"error", released.error().message}});
  }
  std::lock_guard lock(mutex_);
  held_.clear();
}

}  // namespace twinspan::worker_s3
