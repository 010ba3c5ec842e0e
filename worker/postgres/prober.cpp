#include "worker/postgres/prober.hpp"

#include "core/log.hpp"
#include "engines/postgres/admin.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/tablespaces.hpp"

namespace twinspan::worker {
namespace {

constexpr std::chrono::milliseconds kPatience{1000};
constexpr std::chrono::milliseconds kInterval{250};
constexpr std::chrono::milliseconds kAfterFailure{500};
constexpr std::chrono::milliseconds kWhileStarting{25};

}  // namespace

Prober::Prober(const postgres::Layout& layout, int port, const Clock& clock, LocalState& local)
    : layout_(layout), port_(port), clock_(clock), local_(local) {}

void Prober::start() {
  thread_.start([this](const std::stop_token& stop) { run(stop); });
}

void Prober::stop() { thread_.stop(); }

void Prober::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) wake_.wait(look(stop), stop);
}

std::chrono::milliseconds Prober::look(const std::stop_token& stop) {
  const Local local = local_.copy();
  if (local.process == ProcessState::kStopped) {
    session_.reset();
    return std::chrono::milliseconds(1000);
  }
  if (session_ && (session_life_ != local.life || !session_->alive())) session_.reset();
  if (!session_) {
    auto opened = postgres::open_local(layout_, port_, kPatience, stop);
    if (!opened) {
      // Before it answered for the first time it is starting, not failing.
      if (!local.seen) return kWhileStarting;
      failed(opened.error(), local.life);
      return kAfterFailure;
    }
    session_.emplace(std::move(*opened));
    session_life_ = local.life;
  }
  auto seen = postgres::observe(*session_, kPatience, stop);
  if (!seen) {
    if (stop.stop_requested()) return kAfterFailure;
    failed(seen.error(), local.life);
    return kAfterFailure;
  }
  take_in(std::move(*seen), local.life);
  return kInterval;
}

void Prober::take_in(postgres::Observation seen, uint64_t life) {
  const BootTime now = clock_.boot_now();
  if (lag_life_ != life) {
    lag_.reset();
    downstream_lag_.reset();
    deaf_.reset();
    silence_.reset();
  }
  lag_life_ = life;
  silence_.measure(now, seen.receiver);
  // Before the lag: that adds rows of those who are gone.
  deaf_.measure(now, seen.received, seen.sender_timeout_seconds, seen.senders);
  if (!seen.in_recovery) downstream_lag_.measure(now, seen.received, seen.senders);
  const bool streaming = seen.in_recovery && postgres::is_streaming(seen);
  std::optional<double> seconds;
  std::optional<uint64_t> bytes;
  if (streaming) {
    seconds = lag_.connected(now, seen.receiver->upstream_end, seen.replayed);
    bytes = seen.receiver->upstream_end > seen.replayed ? seen.receiver->upstream_end.value - seen.replayed.value : 0;
  } else if (seen.in_recovery) {
    seconds = lag_.disconnected(now);
  }
  // A timeline that is new here has its history on disk by now. A replica without a receiver may answer an older one:
  // what it last checkpointed on.
  std::optional<std::vector<TimelineSwitch>> history;
  if (const Local local = local_.copy();
      local.timeline.value_or(0) < seen.timeline ||
      (local.timeline == seen.timeline && seen.timeline > 1 && local.history.empty())) {
    history.emplace();
    if (seen.timeline > 1)
      if (const auto text =
              postgres::read_file(layout_.pgdata() + "/pg_wal/" + postgres::history_file_name(seen.timeline)))
        if (auto parsed = postgres::parse_history(*text)) history = std::move(*parsed);
  }
  std::vector<std::string> outside;
  for (const std::string& location : seen.tablespaces)
    if (!postgres::lies_within(location, layout_.data_dir)) outside.push_back(location);
  local_.update([&](Local& local) {
    if (local.life != life) return;
    if (!local.seen) log::info("database answers", {{"in_recovery", seen.in_recovery}, {"timeline", seen.timeline}});
    local.seen = seen;
    local.seen_at = now;
    local.outside = outside;
    local.sql_healthy = true;
    local.sql_failures = 0;
    local.lag_seconds = seconds;
    local.lag_bytes = bytes;
    if (history) {
      local.timeline = seen.timeline;
      local.history = std::move(*history);
    }
    if (!local.received || *local.received < seen.received) local.received = seen.received;
  });
}

void Prober::failed(const Error& error, uint64_t life) {
  session_.reset();
  local_.update([&](Local& local) {
    // Stopping on request is no failure.
    if (local.life != life || local.doing == MemberState::kStopping) return;
    local.sql_healthy = false;
    ++local.sql_failures;
    if (local.sql_failures == 1) log::warn("database does not answer", {{"error", error.message}});
  });
}

}  // namespace twinspan::worker
