#include "worker/s3/past_keeper.hpp"

#include <algorithm>
#include <utility>

#include "core/log.hpp"
#include "worker/s3/connection.hpp"

namespace twinspan::worker_s3 {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookAgain{500};  // while something is missing
constexpr int kEager = 20;               // looks at such pauses; then longer ones
constexpr std::chrono::seconds kPatient{5};
constexpr std::chrono::seconds kSettled{30};  // whether another link has come meanwhile
constexpr std::chrono::seconds kOneSecond{1};
constexpr Patience kPatience{1, milliseconds(5000)};

}  // namespace

PastKeeper::PastKeeper(std::string s3_dir, const Clock& clock, std::function<void()> changed)
    : s3_dir_(std::move(s3_dir)), clock_(clock), changed_(std::move(changed)) {
  thread_.start([this](const std::stop_token& stop) { run(stop); });
}

void PastKeeper::apply(const api::ReplicationLink& link, bool writes) {
  Job job{facts_of(link), bearing_of(link), endpoints_of(link.spec), writes};
  {
    MutexLock lock(mutex_);
    if (writes && job_ && job_->writes && job_->facts == job.facts) {
      const Direction &before = job_->bearing.direction, &now = job.bearing.direction;
      // An epoch that nobody recorded never had clients: the primary before it may have gone on all the time.
      const bool led = recorded_in_ == before.epoch;
      job.left = before == now ? job_->left : led && !before.primary.empty() && before.primary != now.primary;
    }
    if (job_ == job) return;
    // Only what is no longer so is forgotten: a record that was written stands, whoever may write the next.
    const bool same = job_ && job_->facts == job.facts && job_->bearing == job.bearing;
    if (!same) known_.reset();
    if (job_ && job_->facts != job.facts) {
      past_.reset();
      recorded_in_.reset();
    }
    job_ = std::move(job);
    look_stop_.request_stop();  // what it waits for may be a bucket that nobody needs any more
  }
  wake_.raise();
}

std::optional<FlowPast> PastKeeper::past() const {
  MutexLock lock(mutex_);
  return past_;
}

std::optional<int64_t> PastKeeper::recorded_epoch() const {
  MutexLock lock(mutex_);
  if (!known_ || clock_.boot_now() < known_->recorded_from) return std::nullopt;
  return known_->recorded;
}

Clearance PastKeeper::clearance(const Direction& direction, const std::string& target) const {
  MutexLock lock(mutex_);
  if (known_ && job_->bearing.direction == direction)
    if (const auto found = known_->targets.find(target); found != known_->targets.end()) return found->second;
  return {{Permit::kUnknown, target, FlowReason::kNone, "the records of the link's past are being read"}};
}

s3::Client* PastKeeper::client_of(const api::Endpoint& endpoint, std::string& why) {
  auto& known = clients_[endpoint.name];
  if (known.second && known.first == endpoint) return known.second.get();
  auto made = connect(endpoint, s3_dir_, 1, clock_, kPatience);
  if (!made) {
    why = made.error().message;
    return nullptr;
  }
  known = {endpoint, std::move(*made)};
  return known.second.get();
}

// Credentials of a source need no more than to read its objects: as long as it was always primary, the copies' records
// say all there is to say.
bool PastKeeper::may_be_closed(const std::string& endpoint, const Job& job, const Error& error) {
  if (error.code != Code::kDenied || job.bearing.turns() || endpoint != job.facts.places.front().name ||
      endpoint != job.bearing.direction.primary)
    return false;
  if (!std::exchange(closed_, true))
    log::info("the source keeps no record of the link's past: it may not be written there",
              {{"endpoint", endpoint}, {"error", error.message}});
  return true;
}

// What could be read once stands where a bucket is away: only we, or those whose record we would have to read, write
// it.
void PastKeeper::read(const api::Endpoint& endpoint, const Job& job, const std::stop_token& stop) {
  std::string why;
  s3::Client* const client = client_of(endpoint, why);
  if (client) {
    const Place* here = nullptr;
    for (const Place& place : job.facts.places)
      if (place.name == endpoint.name) here = &place;
    const auto before = seen_.read.find(endpoint.name);
    auto records = read_link_records(*client, job.facts.ns, job.facts.link, *here,
                                     before == seen_.read.end() ? BucketRecords{} : before->second, stop);
    if (records) {
      seen_.read[endpoint.name] = std::move(*records);
      seen_.unread.erase(endpoint.name);
      return;
    }
    if (stop.stop_requested()) return;
    if (may_be_closed(endpoint.name, job, records.error())) {
      seen_.read.try_emplace(endpoint.name);
      seen_.unread.erase(endpoint.name);
      return;
    }
    why = records.error().message;
    if (records.error().code == Code::kDenied) clients_.erase(endpoint.name);  // other files may be mounted by now
  }
  if (!seen_.read.contains(endpoint.name)) seen_.unread[endpoint.name] = why;
}

// What is written a second after the record was seen has a later date than it.
BootTime PastKeeper::second_over(const StoredRecord& own) {
  if (own.record.turned != kWhenWritten) return {};
  if (record_seen_.first != own.etag) record_seen_ = {own.etag, clock_.boot_now()};
  return record_seen_.second + kOneSecond;
}

// True: the record at `endpoint` says what is so.
bool PastKeeper::record(const std::string& endpoint, const Job& job, const std::stop_token& stop) {
  const StoredRecord* there = own_record(job.facts, seen_, endpoint);
  const int64_t epoch = job.bearing.direction.epoch;
  // Another worker may have written it while ours still carried the other way.
  const bool unvisited = endpoint == job.bearing.direction.primary && job.left && led_in_ != epoch;
  LinkRecord wanted = record_for(job.facts, seen_, job.bearing, endpoint, to_rfc3339(clock_.wall_now()), unvisited);
  if (there && !unvisited) {
    LinkRecord same = wanted;
    same.since = there->record.since;
    same.turned = there->record.turned;
    if (same == there->record) return true;
  }
  if (!job.writes) return false;
  if (closed_ && endpoint == job.facts.places.front().name && !job.bearing.turns()) return true;
  const auto client = clients_.find(endpoint);
  if (client == clients_.end() || !client->second.second) return false;
  auto written = write_link_record(*client->second.second, std::move(wanted), there ? there->etag : "", stop);
  BucketRecords& records = seen_.read[endpoint];
  // Who was faster wrote it after we had read it, and so after all that we carried.
  if (unvisited && (written || written.error().code == Code::kConflict)) led_in_ = epoch;
  if (!written && may_be_closed(endpoint, job, written.error())) return true;
  if (!written) {
    if (written.error().code == Code::kConflict) seen_.read.erase(endpoint);  // read again, decide again
    if (!stop.stop_requested())
      log::warn("record of the link's past not written", {{"endpoint", endpoint}, {"error", written.error().message}});
    return false;
  }
  std::erase_if(records.records, [&](const StoredRecord& one) {
    return one.record.ns == job.facts.ns && one.record.link == job.facts.link;
  });
  std::erase(records.unreadable, link_record_key(job.facts.ns, job.facts.link));
  records.records.push_back(std::move(*written));
  log::info(
      "record of the link's past written",
      {{"endpoint", endpoint}, {"primary", job.bearing.direction.primary}, {"epoch", job.bearing.direction.epoch}});
  return true;
}

void PastKeeper::publish(const Job& job, Known known) {
  {
    MutexLock lock(mutex_);
    if (job_ != job) return;
    past_ = known.past;
    if (known.recorded) recorded_in_ = known.recorded;
    known_ = std::move(known);
  }
  changed_();
}

// True: nothing is missing.
bool PastKeeper::look(const Job& job, const std::stop_token& stop) {
  std::vector<api::Endpoint> order = job.endpoints;
  const std::string& primary = job.bearing.direction.primary;
  // Whoever is to be primary first: clients wait for it.
  std::stable_partition(order.begin(), order.end(), [&](const auto& one) { return one.name == primary; });
  Known known;
  known.settled = true;
  const auto conclude = [&] {
    known.past = judge_past(job.facts, seen_, job.bearing);
    known.settled = known.past.known;
    known.targets.clear();
    Permission first = may_write(job.facts, seen_, job.bearing, primary);
    // Before anything was ever assigned, a record that says so must not be written upon half the facts.
    if (first.permit == Permit::kAllowed && !job.bearing.assigned && !known.past.known)
      first = {Permit::kUnknown, primary, FlowReason::kNone, known.past.message};
    const bool said = first.permit == Permit::kAllowed && record(primary, job, stop);
    if (said) known.recorded = job.bearing.direction.epoch;
    const StoredRecord* leads = said ? own_record(job.facts, seen_, primary) : nullptr;
    if (leads) known.recorded_from = second_over(*leads);
    for (const api::Endpoint& target : job.endpoints) {
      if (target.name == primary) continue;
      Clearance& clear = known.targets[target.name];
      clear.permission = may_write(job.facts, seen_, job.bearing, target.name);
      if (clear.permission.permit == Permit::kAllowed && (!said || !record(target.name, job, stop)))
        clear.permission = {Permit::kUnknown, said ? target.name : primary, FlowReason::kNone,
                            first.message.empty() ? "the record of the link's past is being written" : first.message};
      if (clear.permission.permit != Permit::kAllowed) {
        known.settled = false;
        continue;
      }
      const StoredRecord& there = *own_record(job.facts, seen_, target.name);
      clear.began = there.record.began;
      clear.since = there.record.since;
      const auto equal_since = parse_rfc3339(there.record.equal_since);
      clear.equal = equal_since.has_value();
      clear.turned = equal_since ? *equal_since : turned_of(there).value_or(there.written);
      // A copy of a third bucket is older than one that the primary has, or newer: nobody knows.
      if (leads && (job.endpoints.size() == 2 || job.bearing.direction.previous == target.name))
        clear.led = turned_of(*leads).value_or(WallTime{});
    }
  };
  for (const api::Endpoint& endpoint : order) {
    read(endpoint, job, stop);
    if (stop.stop_requested()) return false;
    if (endpoint.name == primary && job.bearing.assigned && order.size() > 1) {
      conclude();
      publish(job, known);
    }
  }
  conclude();
  const bool settled = known.settled;
  if (!stop.stop_requested()) publish(job, std::move(known));
  return settled;
}

void PastKeeper::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::optional<Job> job;
    std::stop_source own;
    {
      MutexLock lock(mutex_);
      job = job_;
      own = look_stop_ = std::stop_source();
    }
    const std::stop_callback ends(stop, [&] { own.request_stop(); });
    if (job && looked_ != job) closed_ = false;
    if (looked_ != job) looks_ = 0;
    if (job && (!looked_ || looked_->facts != job->facts)) {
      seen_ = {};
      std::erase_if(clients_, [&](const auto& one) {
        return std::none_of(job->endpoints.begin(), job->endpoints.end(),
                            [&](const api::Endpoint& endpoint) { return endpoint == one.second.first; });
      });
    }
    looked_ = job;
    const bool settled = job && look(*job, own.get_token());
    wake_.wait(!job                ? milliseconds(std::chrono::hours(1))
               : settled           ? milliseconds(kSettled)
               : ++looks_ > kEager ? milliseconds(kPatient)
                                   : kLookAgain,
               stop);
  }
}

}  // namespace twinspan::worker_s3
