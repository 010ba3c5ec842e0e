#include "worker/postgres/backup/tail_keeper.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <tuple>

#include "core/log.hpp"

namespace twinspan::worker {
namespace {

constexpr std::chrono::seconds kLookAround{1}, kClockSet{2};

std::string segment_path(const postgres::Layout& layout, const std::string& segment) {
  return layout.pgdata() + "/pg_wal/" + segment;
}

class File {
 public:
  explicit File(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// PostgreSQL gives a segment that it needs no more another name, and only then writes over it: what was read while the
// name was its own is the segment's.
Status read_segment(const std::string& path, uint64_t bytes, const std::function<Status(std::string_view)>& piece) {
  const auto failed = [&](const char* what) {
    return fail(Code::kUnavailable, fmt::format("{} {}: {}", what, path, std::strerror(errno)));
  };
  const File file(path);
  if (file.fd() < 0) return failed("open");
  std::string buffer(1 << 20, '\0');
  for (uint64_t at = 0; at < bytes;) {
    const ssize_t got =
        pread(file.fd(), buffer.data(), std::min<uint64_t>(buffer.size(), bytes - at), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return failed("read");
    if (Status fed = piece(std::string_view(buffer).substr(0, static_cast<size_t>(got))); !fed) return fed;
    at += static_cast<uint64_t>(got);
  }
  struct stat held {
  }, named{};
  if (fstat(file.fd(), &held) != 0 || stat(path.c_str(), &named) != 0) return failed("stat");
  if (held.st_ino != named.st_ino) return fail(Code::kUnavailable, path + " was recycled meanwhile");
  return {};
}

std::vector<std::string> archive_states(const postgres::Layout& layout) {
  std::vector<std::string> names;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(layout.pgdata() + "/pg_wal/archive_status", failed))
    names.push_back(entry.path().filename());
  return names;
}

}  // namespace

void TailKeeper::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    look(stop);
    wait_for(kLookAround, stop);
  }
}

void TailKeeper::forget() {
  stored_.reset();
  began_at_.reset();
  still_at_.reset();
  marked_.reset();
  mark_again_at_ = {};
  last_segment_.clear();
  clean_before_.clear();
  safe_since_.forget();
  trouble_.passed();
}

void TailKeeper::look(const std::stop_token& stop) {
  const auto place = c_.place();
  const Local local = c_.local.copy();
  const bool writes = place && local.seen && !local.seen->in_recovery && local.timeline == local.seen->timeline;
  if (!writes) {
    if (place_) c_.tell(std::nullopt, "");
    place_.reset();
    forget();
    return;
  }
  // Of another database, timeline, epoch or repository nothing counts that was known.
  const auto log_of = [](const Place& one) { return std::tie(one.repository, one.stanza, one.epoch); };
  if (!place_ || log_of(*place_) != log_of(*place) || life_ != local.life || timeline_ != local.seen->timeline)
    forget();
  place_ = place;
  life_ = local.life;
  timeline_ = local.seen->timeline;
  history_ = backup::departures_of(local.history);
  const uint64_t flushed = local.seen->received.value;
  const std::string segment = backup::segment_at(timeline_, flushed);
  // A segment is whole a moment before PostgreSQL notes that it waits: what was unfinished before counts for a look.
  const bool moved_on = std::exchange(last_segment_, segment) != segment;
  const std::string waiting = first_waiting(archive_states(c_.layout));
  safe_since_.flushed(local.seen_at, flushed);

  const BootTime now = c_.clock.boot_now();
  const WallTime seen_at = c_.clock.wall_now() - std::chrono::duration_cast<WallTime::duration>(now - local.seen_at);
  // A clock that is set by somebody makes nobody idle.
  const auto elapsed = [&] { return (seen_at - still_since_) - (local.seen_at - still_since_boot_); };
  if (std::exchange(still_at_, flushed) != flushed || std::chrono::abs(elapsed()) > kClockSet) {
    still_since_ = seen_at;
    still_since_boot_ = local.seen_at;
  }
  if (now >= trouble_.again_at()) {
    Status done;
    if (const auto next = next_tail({timeline_, flushed, place->epoch, stored_, began_at_, now, place->max_delay})) {
      began_at_ = now;
      done = store(*place, *next, seen_at, stop);
    }
    if (done && waiting.empty() && !moved_on && std::exchange(clean_before_, segment) != segment)
      if (auto cleaned = clean(*place, stop); !cleaned && !stop.stop_requested())
        log::warn("tails that are of no use stay", {{"error", cleaned.error().message}});
    if (stop.stop_requested()) return;
    if (done)
      trouble_.passed();
    else {
      trouble_.failed(
          {done.error().code, fmt::format("tail of {}: {}", segment, done.error().message), done.error().retryable},
          now);
      began_at_.reset();
    }
  }
  if (moved_on) return;
  const uint64_t safe = safe_position(waiting, stored_, timeline_, flushed);
  mark(*place, flushed, safe, seen_at, stop);
  BackupReport::Continuous said;
  said.seen_at = std::chrono::floor<std::chrono::seconds>(c_.clock.wall_now()).time_since_epoch().count();
  if (stored_) said.tail = to_string(Position{stored_->end});
  const auto age = safe_since_.age(safe, c_.clock.boot_now());
  if (age) said.unsafe_seconds = age->count();
  said.unsafe_bytes = static_cast<int64_t>(flushed - std::min(flushed, safe));
  said.max_delay_seconds = place->max_delay.count();
  c_.tell(said, trouble_.words());
}

// The lease is asked for before and after: what an old primary wrote is never counted. Should its request be late all
// the same, belongs_until() keeps what it holds beyond the fork from being replayed.
Status TailKeeper::store(const Place& place, const backup::TailName& name, WallTime at, const std::stop_token& stop) {
  auto tails = postgres::TailStore::open(place.config, place.stanza, c_.clock);
  if (!tails) return std::unexpected(tails.error());
  const std::string path = segment_path(c_.layout, name.segment);
  const auto read = [&](const std::function<Status(std::string_view)>& piece) {
    return read_segment(path, name.end - backup::start_of(name.segment), piece);
  };
  if (!c_.place()) return {};
  if (Status put = tails->put(name, at, read, stop); !put) return put;
  if (c_.place() != place) return {};
  const auto before = std::exchange(stored_, name);
  // A bucket that lets nobody remove anything stores all the same; whoever restores takes the longest.
  if (before && before->segment == name.segment)
    if (auto removed = tails->remove(*before, stop); !removed)
      log::warn("a tail that is of no use stays", {{"error", removed.error().message}});
  return {};
}

// What it says is of when the log was looked at: by then this member may be primary no more, and was one then.
void TailKeeper::mark(const Place& place, uint64_t flushed, uint64_t safe, WallTime seen_at,
                      const std::stop_token& stop) {
  const auto next = next_mark({place.epoch, timeline_, flushed, safe, still_since_, seen_at, marked_, place.max_delay});
  if (!next || c_.clock.boot_now() < mark_again_at_ || c_.place() != place) return;
  auto marks = postgres::MarkStore::open(place.config, place.stanza, c_.clock);
  const Status done = marks ? marks->put(*next, stop) : std::unexpected(marks.error());
  if (done)
    marked_ = next;
  else if (!stop.stop_requested()) {
    mark_again_at_ = c_.clock.boot_now() + mark_period(place.max_delay);
    log::warn("that the database is idle can't be noted in the repository", {{"error", done.error().message}});
  }
}

Status TailKeeper::clean(const Place& place, const std::stop_token& stop) {
  auto tails = postgres::TailStore::open(place.config, place.stanza, c_.clock);
  if (!tails) return std::unexpected(tails.error());
  const auto names = tails->list("", stop);
  if (!names) return std::unexpected(names.error());
  for (const backup::TailName& one : *names) {
    bool superseded = stored_ && one.segment == stored_->segment && one.end < stored_->end;
    if (!superseded) {
      const auto by = backup::superseder_of(one, timeline_, history_);
      if (!by || *by == last_segment_) continue;
      const auto there = c_.archived(place, *by, stop);
      if (!there) return std::unexpected(there.error());
      superseded = *there;
    }
    if (!superseded || !c_.place()) continue;
    if (Status removed = tails->remove(one, stop); !removed) return removed;
  }
  return {};
}

}  // namespace twinspan::worker
