#include "controllers/s3/s3_said.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "contract/rows.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/link_status.hpp"
#include "controllers/s3/s3_conditions.hpp"
#include "failover/flow/past.hpp"

namespace twinspan::controllers {
namespace {

// Best first.
constexpr std::array kStates = {
    MemberState::kStreaming, MemberState::kRunning,      MemberState::kCatchingUp,
    MemberState::kStopped,   MemberState::kStarting,     MemberState::kInitializing,
    MemberState::kUnknown,   MemberState::kDisconnected, MemberState::kFailed,
};

size_t badness(MemberState state) {
  for (size_t i = 0; i < kStates.size(); ++i)
    if (state == kStates[i]) return i;
  return badness(MemberState::kUnknown);
}

template <class Number>
void add(std::optional<Number>& sum, const std::optional<Number>& more) {
  sum = sum && more ? std::optional(*sum + *more) : std::nullopt;
}

template <class Number>
void add_known(std::optional<Number>& sum, const std::optional<Number>& more) {
  if (more) sum = sum.value_or(Number{}) + *more;
}

void merge(api::EndpointStatus& row, const api::EndpointStatus& more) {
  if (badness(state_of(more)) > badness(state_of(row))) {
    row.state = more.state;
    row.message = more.message;
  }
  row.lag_seconds =
      row.lag_seconds && more.lag_seconds ? std::optional(std::max(*row.lag_seconds, *more.lag_seconds)) : std::nullopt;
  add(row.queue_length, more.queue_length);
  add(row.active_transfers, more.active_transfers);
}

// RFC 3339 in UTC is ordered as text.
template <class Text>
void keep_earlier(Text& time, const Text& other) {
  if (other && (!time || *other < *time)) time = other;
}
constexpr size_t kSampleMax = 10;  // of each, as the CRD has it

template <class Text>
void keep_later(Text& time, const Text& other) {
  if (other && (!time || *other > *time)) time = other;
}

void merge(api::SyncStatus& sum, const api::SyncStatus& more) {
  for (auto number :
       {&api::SyncStatus::total, &api::SyncStatus::replicated, &api::SyncStatus::skipped, &api::SyncStatus::failed,
        &api::SyncStatus::archived, &api::SyncStatus::deleted, &api::SyncStatus::conflicts, &api::SyncStatus::bytes})
    add_known(sum.*number, more.*number);
  for (const api::FailedKey& one : more.failed_sample)
    if (sum.failed_sample.size() < kSampleMax) sum.failed_sample.push_back(one);
  keep_earlier(sum.started_at, more.started_at);
  if (!more.completed_at) sum.completed_at.reset();
  if (sum.completed_at) keep_later(sum.completed_at, more.completed_at);
}

// False: they are not of one verification.
bool merge(api::VerificationStatus& sum, const api::VerificationStatus& more) {
  if (sum.request != more.request) return false;
  if (sum.started_at && sum.finished_at && more.started_at && more.finished_at &&
      (*sum.finished_at < *more.started_at || *more.finished_at < *sum.started_at))
    return false;
  sum.consistent = sum.consistent && more.consistent;
  for (auto number : {&api::VerificationStatus::checked, &api::VerificationStatus::missing,
                      &api::VerificationStatus::different, &api::VerificationStatus::extra})
    add_known(sum.*number, more.*number);
  for (auto sample : {&api::VerificationStatus::missing_sample, &api::VerificationStatus::different_sample,
                      &api::VerificationStatus::extra_sample})
    for (const std::string& key : more.*sample)
      if ((sum.*sample).size() < kSampleMax) (sum.*sample).push_back(key);
  sum.reports.insert(sum.reports.end(), more.reports.begin(), more.reports.end());
  keep_earlier(sum.started_at, more.started_at);
  keep_later(sum.finished_at, more.finished_at);
  return true;
}

std::optional<FlowPast> past_of(const MemberReport& report) {
  return parse_flow_past(member_of(member_of(report.details, "failover"), "past"));
}

struct WorkerSaid {
  const EndpointSeen* seen = nullptr;
  std::string pod;
  const MemberReport* report = nullptr;  // nullptr: not heard, lately
  std::vector<int64_t> shares;
};

class Together {
 public:
  explicit Together(const S3Seen& seen) : seen_(seen) {
    const api::LinkStatus& status = seen.link().status;
    shares_ = status.division ? status.division->shares : 1;
    const int64_t generation = status.division ? status.division->generation : 0;
    for (size_t i = 0; i < seen.workers().size(); ++i) {
      WorkerSaid& worker = workers_.emplace_back();
      worker.seen = &seen.workers()[i];
      worker.pod = seen.pod_of(i);
      worker.report = worker.seen->member.fresh();
      if (!worker.report) continue;
      const Json& details = worker.report->details;
      // Shares of another division say nothing of these.
      if (integer_of(member_of(details, "division"), "generation") != generation) continue;
      if (!details.contains("shares") && worker.report->holds_lease) worker.shares = {0};  // knows of no shares yet
      for (const Json& share : member_of(details, "shares"))
        if (share.is_number_integer()) worker.shares.push_back(share.get<int64_t>());
    }
  }

  S3Said all() {
    for (const WorkerSaid& worker : workers_) {
      said_.heard = said_.heard || worker.report;
      if (auto row = row_of(worker)) said_.workers.push_back(std::move(*row));
    }
    if (workers_.size() == 1 && workers_.front().report) said_.instance = workers_.front().report->instance;
    for (const WorkerSaid& worker : workers_)
      if (const Json& stall = worker.report ? member_of(worker.report->details, "stalled") : Json(); stall.is_object())
        if (!said_.stalled) said_.stalled = {text_of(stall, "reason"), text_of(stall, "message")};
    for (const WorkerSaid& worker : workers_)
      if (const auto past = worker.report ? past_of(*worker.report) : std::nullopt; past && past->undecided())
        said_.undecided = true;
    said_.copying = find_missing();
    endpoints();
    if (!said_.copying) return std::move(said_);
    sync();
    verification();
    return std::move(said_);
  }

 private:
  bool speaks(const WorkerSaid& worker) const {
    return worker.report && (!worker.shares.empty() || seen_.link().spec.paused);
  }

  std::optional<api::WorkerStatus> row_of(const WorkerSaid& worker) const {
    const bool wanted = &worker - workers_.data() < seen_.link().spec.s3.workers;
    if (!wanted && !worker.seen->pod) return std::nullopt;
    api::WorkerStatus row;
    row.name = worker.pod;
    row.state = to_string(worker.report ? worker.report->state : MemberState::kUnknown);
    row.shares = worker.shares;
    if (!worker.report)
      row.message = why_unheard(*worker.seen, worker.pod);
    else if (!worker.report->message.empty())
      row.message = worker.report->message;
    return row;
  }

  std::string why_missing(int64_t share) const {
    const WorkerSaid& own = workers_.at(std::min(static_cast<size_t>(share), workers_.size() - 1));
    std::string why = !own.report                   ? why_unheard(*own.seen, own.pod)
                      : own.report->message.empty() ? fmt::format("pod {} does not have it yet", own.pod)
                                                    : own.report->message;
    return shares_ == 1 ? why : fmt::format("share {} of {}: {}", share, shares_, why);
  }

  bool find_missing() {
    for (int64_t share = 0; share < shares_; ++share) {
      const bool held = std::any_of(workers_.begin(), workers_.end(), [&](const WorkerSaid& worker) {
        return std::find(worker.shares.begin(), worker.shares.end(), share) != worker.shares.end();
      });
      if (!held) return said_.why_not = why_missing(share), false;
    }
    return true;
  }

  void endpoints() {
    for (const WorkerSaid& worker : workers_) {
      if (!speaks(worker)) continue;
      for (const Json& one : member_of(worker.report->details, "endpoints")) {
        auto row = api::parse_endpoint_status(one);
        if (!row) continue;
        const auto known = std::find_if(said_.endpoints.begin(), said_.endpoints.end(),
                                        [&](const auto& other) { return other.name == row->name; });
        known == said_.endpoints.end() ? said_.endpoints.push_back(std::move(*row)) : merge(*known, *row);
      }
    }
    if (said_.copying || seen_.link().spec.paused) return;
    api::EndpointStatus unknown;
    unknown.state = to_string(MemberState::kUnknown);
    unknown.message = said_.why_not;
    for (api::EndpointStatus& row : said_.endpoints)
      if (is_follower(seen_.link().spec, row)) merge(row, unknown);
  }

  void sync() {
    for (const WorkerSaid& worker : workers_) {
      if (!speaks(worker)) continue;
      const auto one = api::parse_sync_status(member_of(worker.report->details, "sync"));
      if (!one) {
        begun_by_all_ = false;
      } else if (!said_.sync) {
        said_.sync = *one;
      } else {
        merge(*said_.sync, *one);
      }
    }
    if (said_.sync && !begun_by_all_) said_.sync->completed_at.reset();
  }

  void verification() {
    for (const WorkerSaid& worker : workers_) {
      if (!speaks(worker)) continue;
      const auto one = api::parse_verification_status(member_of(worker.report->details, "verification"));
      if (!one) return said_.verification.reset();
      if (!said_.verification)
        said_.verification = *one;
      else if (!merge(*said_.verification, *one))
        return said_.verification.reset();
    }
  }

  const S3Seen& seen_;
  int64_t shares_ = 1;
  bool begun_by_all_ = true;
  std::vector<WorkerSaid> workers_;
  S3Said said_;
};

}  // namespace

S3Said said_by_workers(const S3Seen& seen) { return Together(seen).all(); }

bool said_pending(const S3Seen& seen) {
  return std::any_of(seen.workers().begin(), seen.workers().end(),
                     [](const EndpointSeen& worker) { return worker.member.pending(); });
}

}  // namespace twinspan::controllers
