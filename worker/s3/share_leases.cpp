#include "worker/s3/share_leases.hpp"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "contract/names.hpp"
#include "core/log.hpp"
#include "core/role_thread.hpp"
#include "kube/lease.hpp"

namespace twinspan::worker_s3 {
namespace {

using std::chrono::milliseconds;

const std::string kDivision(kDivisionAnnotation), kWantedBy(kWantedByAnnotation);

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

}  // namespace

// Asking for a lease says nothing of its holder.
std::optional<kube::LeaseChange> ShareLeases::lease_change(Change change) {
  switch (change) {
    case Change::kTake: return kube::LeaseChange::kTake;
    case Change::kRenew:
    case Change::kMark: return kube::LeaseChange::kRenew;
    case Change::kRelease: return kube::LeaseChange::kRelease;
    case Change::kAsk: break;
  }
  return std::nullopt;
}

ShareLeases::ShareLeases(const kube::Client& client, const Clock& clock, ShareLeasesConfig config,
                         std::function<void()> changed, std::function<void(const std::string&)> lost)
    : config_(std::move(config)),
      client_(kube::lease_connection(client.config(), config_.renew_deadline)),
      clock_(clock),
      changed_(std::move(changed)),
      lost_(std::move(lost)) {
  const size_t dash = config_.pod_name.rfind('-');
  prefix_ = config_.pod_name.substr(0, dash + 1);
  ordinal_ = number_of<int>(std::string_view(config_.pod_name).substr(dash + 1)).value_or(0);
}

void ShareLeases::divide(const Division& division) {
  {
    MutexLock lock(mutex_);
    if (division == division_) return;
    division_ = division;
  }
  wake_.raise();
}

std::set<int> ShareLeases::use(const Division& division) {
  MutexLock lock(mutex_);
  if (division != planned_ || division != division_) return {};
  in_use_.insert(use_.begin(), use_.end());
  return use_;
}

void ShareLeases::in_use(std::set<int> shares) {
  {
    MutexLock lock(mutex_);
    if (shares == in_use_) return;
    in_use_ = std::move(shares);
  }
  wake_.raise();  // what is no longer in use may be another's now
}

std::set<int> ShareLeases::held() const {
  MutexLock lock(mutex_);
  return held_;
}

std::string ShareLeases::holder() const {
  MutexLock lock(mutex_);
  return holder_;
}

void ShareLeases::run(std::stop_token stop) {
  const RoleThread guard("lease-guard", [this](const std::stop_token& over) { this->guard(over); });
  while (!stop.stop_requested())
    if (!turn(stop)) wake_.wait(config_.retry, stop);
  release_all();
}

void ShareLeases::guard(const std::stop_token& stop) {
  const milliseconds pause = std::clamp(config_.retry / 8, milliseconds(1), milliseconds(250));
  while (wait_for(pause, stop)) {
    std::optional<int> over;
    {
      MutexLock lock(mutex_);
      for (const auto& [share, renewed] : tenures_)
        if (clock_.boot_now() - renewed >= config_.renew_deadline) over = share;
      if (over) tenures_.erase(*over);
    }
    if (!over) continue;
    log::error("lease not renewed in time, leaving", {{"lease", lease_name(*over)}});
    lost_(lease_name(*over));
  }
}

// What the guard goes by: told whenever it changes.
void ShareLeases::note_tenures() {
  std::map<int, BootTime> tenures;
  for (const int share : mine_) tenures[share] = known_[share].renewed;
  MutexLock lock(mutex_);
  tenures_ = std::move(tenures);
}

// True: something was changed, which is to be looked at.
bool ShareLeases::turn(const std::stop_token& stop) {
  SharesSeen seen;
  {
    MutexLock lock(mutex_);
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
  MutexLock lock(mutex_);
  held_ = mine_;
  const auto own = known_.find(ordinal_);
  holder_ = own == known_.end() ? "" : own->second.said.holder;
  return changed && !stop.stop_requested();
}

void ShareLeases::publish(const SharesPlan& plan, const Division& division) {
  {
    MutexLock lock(mutex_);
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
  options.label_selector = std::string(kLinkLabel) + "=" + config_.link;
  options.page_timeout = client_.config().request_timeout;  // renewals come after it
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
  const Json& notes = member_of(member_of(lease, "metadata"), "annotations");
  const kube::LeaseSaid said = kube::said_of(lease);
  if (said.holder == config_.identity) mine_.insert(share);
  const BootTime now = clock_.boot_now();
  if (!known.unchanged.observe(said.version, now)) return;
  known.said = {said.holder, text_of(notes, kWantedBy), number_of<int64_t>(text_of(notes, kDivision)).value_or(0),
                kube::may_be_held_for(!said.holder.empty(), said.duration, config_.duration), now};
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
  note_tenures();
}

Status ShareLeases::write(int share, Change change, const Division& division, const std::stop_token& stop) {
  Known& known = known_[share];
  Json lease = known.lease;
  Json& notes = lease["metadata"]["annotations"];
  const BootTime sent = clock_.boot_now();
  if (change == Change::kAsk) notes[kWantedBy] = config_.identity;
  if (const auto made = lease_change(change))
    kube::change_lease(lease, *made, config_.identity, config_.duration, clock_.wall_now());
  if (change == Change::kTake && notes.is_object()) notes.erase(kWantedBy);
  if ((change == Change::kTake || change == Change::kMark) && division.generation > 0)
    notes[kDivision] = std::to_string(division.generation);
  if (notes.is_null()) lease["metadata"].erase("annotations");
  // A write may arrive though its answer is lost: the next look tells.
  if (change == Change::kTake) known.renewed = sent;
  if (change == Change::kRelease) {
    mine_.erase(share);
    note_tenures();
  }
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
  note_tenures();
  return {};
}

void ShareLeases::release_all() {
  Division division;
  {
    MutexLock lock(mutex_);
    division = division_;
    use_.clear();
  }
  for (const int share : std::set<int>(mine_)) {
    const Status released =
        kube::release_lease([&] { return write(share, Change::kRelease, division, {}); },
                            [&] {
                              auto lease = client_.get(kube::kLeases, {config_.ns, lease_name(share)});
                              if (!lease) return false;
                              learn(share, std::move(*lease));
                              return known_[share].said.holder == config_.identity;
                            });
    if (!released)
      log::warn("lease not released, it expires by itself",
                {{"lease", lease_name(share)}, {"error", released.error().message}});
  }
  MutexLock lock(mutex_);
  held_.clear();
}

}  // namespace twinspan::worker_s3
