#include "worker/postgres/custom_queries.hpp"

#include <algorithm>

#include "core/log.hpp"
#include "core/text.hpp"
#include "engines/postgres/admin.hpp"

namespace twinspan::worker {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr seconds kLookAround{1};  // at what this instance is by now
constexpr seconds kNobodyGetsIn{5};
constexpr int kRests = 4;  // times as long as it took
constexpr size_t kWordsMost = 300;

postgres::CustomQuery asked_as(const api::CustomQuery& query) {
  postgres::CustomQuery out{query.database.value_or(""), query.query, query.labels, {}, seconds(query.timeout_seconds)};
  for (const api::CustomQueryValue& value : query.values) out.values.push_back(value.column);
  return out;
}

}  // namespace

bool is_asked(api::AskedInstances instances, ProcessState process, bool writable) {
  const bool primary = process == ProcessState::kPrimaryRunning && writable;
  const bool replica = process == ProcessState::kReplicaRunning;
  switch (instances) {
    case api::AskedInstances::kAny: return primary || replica;
    case api::AskedInstances::kPrimary: return primary;
    case api::AskedInstances::kReplicas: return replica;
  }
  return false;
}

nanoseconds rest_of(const api::CustomQuery& query, nanoseconds took) {
  return std::max<nanoseconds>(seconds(query.interval_seconds) - took, kRests * took);
}

CustomQueries::CustomQueries(const postgres::Layout& layout, int port, const Clock& clock,
                             std::function<Standing()> standing)
    : layout_(layout), port_(port), clock_(clock), standing_(std::move(standing)) {}

void CustomQueries::start() {
  thread_.start([this](const std::stop_token& stop) { run(stop); });
}

void CustomQueries::stop() { thread_.stop(); }

void CustomQueries::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) wake_.wait(look(stop), stop);
}

nanoseconds CustomQueries::look(const std::stop_token& stop) {
  const Standing now = standing_();
  std::vector<api::CustomQuery> wanted;
  if (now.desired)
    for (const api::CustomQuery& query : now.desired->queries)
      if (is_asked(query.instances, now.process, now.writable)) wanted.push_back(query);
  forget_all_but(wanted);
  const auto first = std::min_element(wanted.begin(), wanted.end(),
                                      [this](const auto& a, const auto& b) { return due_[a.name] < due_[b.name]; });
  if (first == wanted.end()) return kLookAround;
  const BootTime begin = clock_.boot_now();
  if (due_[first->name] > begin) return std::min<nanoseconds>(kLookAround, due_[first->name] - begin);
  ensure_role(now, stop);
  ask(*first, stop);
  return nanoseconds(0);
}

// A query that is another by now is asked anew, and what the former one answered is gone.
void CustomQueries::forget_all_but(const std::vector<api::CustomQuery>& wanted) {
  const auto named = [&](const std::string& name) {
    return std::find_if(wanted.begin(), wanted.end(), [&](const auto& one) { return one.name == name; });
  };
  MutexLock lock(mutex_);
  std::erase_if(answers_, [&](const auto& one) {
    const auto found = named(one.first);
    const bool gone = found == wanted.end() || *found != one.second.query;
    if (gone) due_.erase(one.first);
    return gone;
  });
}

void CustomQueries::ask(const api::CustomQuery& query, const std::stop_token& stop) {
  const BootTime begin = clock_.boot_now();
  auto rows = postgres::ask(layout_, port_, asked_as(query), stop);
  if (stop.stop_requested()) return;
  const BootTime end = clock_.boot_now();
  const bool nobody_gets_in = !rows && rows.error().code == Code::kUnavailable;
  due_[query.name] = end + (nobody_gets_in ? kNobodyGetsIn : rest_of(query, end - begin));
  // Somebody may have dropped or changed it meanwhile.
  if (nobody_gets_in || (!rows && rows.error().code == Code::kDenied)) role_life_ = 0;
  CustomAnswer answer{query, {}, ""};
  if (rows)
    answer.rows = std::move(*rows);
  else
    answer.error = one_line(rows.error().message, kWordsMost);
  MutexLock lock(mutex_);
  const auto before = answers_.find(query.name);
  const std::string said = before == answers_.end() ? "" : before->second.error;
  if (!answer.error.empty() && answer.error != said)
    log::warn("a query for metrics is not answered", {{"query", query.name}, {"error", answer.error}});
  answers_.insert_or_assign(query.name, std::move(answer));
}

// Replicas have it from the primary. Where it can't be made the queries say that it is not there.
void CustomQueries::ensure_role(const Standing& now, const std::stop_token& stop) {
  if (now.process != ProcessState::kPrimaryRunning || now.desired->paused || role_life_ == now.life) return;
  auto session = postgres::open_local(layout_, port_, seconds(1), stop);
  if (!session) return;
  if (auto made = postgres::ensure_metrics_role(*session, stop); !made)
    return log::warn("the role of metrics can't be made", {{"error", made.error().message}});
  role_life_ = now.life;
}

std::vector<CustomAnswer> CustomQueries::answers() const {
  MutexLock lock(mutex_);
  std::vector<CustomAnswer> out;
  for (const auto& [name, answer] : answers_) out.push_back(answer);
  return out;
}

}  // namespace twinspan::worker
