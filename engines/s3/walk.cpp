#include "engines/s3/walk.hpp"

#include "core/log.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "engines/s3/merge.hpp"
#include "engines/s3/pace.hpp"
#include "engines/s3/ranges.hpp"

namespace twinspan::s3 {
namespace {

constexpr int kSplitAfterPages = 8;

}  // namespace

Status Walk::run(std::vector<KeyRange> ranges, const Visit& visit, std::stop_token stop,
                 std::function<void()> moved_on) {
  {
    MutexLock lock(mutex_);
    moved_on_ = std::move(moved_on);
    pending_.assign(std::make_move_iterator(ranges.begin()), std::make_move_iterator(ranges.end()));
  }
  {
    std::vector<RoleThread> listers;
    for (size_t i = 0; i < static_cast<size_t>(std::max(1, settings_.listers)); ++i)
      listers.emplace_back(RoleName("lister"),
                           [this, i, &visit, &stop](const std::stop_token&) { list(i, visit, stop); });
  }
  if (stop.stop_requested()) return fail(Code::kCancelled, "stopped");
  MutexLock lock(mutex_);
  if (error_) return std::unexpected(*error_);
  return {};
}

void Walk::with_rest(const std::function<void(std::vector<KeyRange> rest)>& look) const {
  MutexLock lock(mutex_);
  std::vector<KeyRange> rest(failed_);
  for (const auto& [lister, range] : active_) rest.push_back(range);
  rest.insert(rest.end(), pending_.begin(), pending_.end());
  look(std::move(rest));
}

std::vector<KeyRange> Walk::rest() const {
  std::vector<KeyRange> seen;
  with_rest([&](std::vector<KeyRange> rest) { seen = std::move(rest); });
  return seen;
}

void Walk::move_on(size_t lister, const KeyRange& range) {
  MutexLock lock(mutex_);
  active_[lister] = range;
  if (moved_on_) moved_on_();
}

bool Walk::wants_work() const {
  MutexLock lock(mutex_);
  return idle_ > 0 && pending_.empty();
}

void Walk::list(size_t lister, const Visit& visit, const std::stop_token& stop) {
  MutexLock lock(mutex_);
  for (;;) {
    ++idle_;
    const bool woken =
        waker_.wait(lock, stop, [this]() REQUIRES(mutex_) { return !pending_.empty() || active_.empty(); });
    --idle_;
    if (!woken || pending_.empty()) break;
    const KeyRange range = std::move(pending_.front());
    pending_.pop_front();
    active_[lister] = range;
    lock.unlock();
    const Status walked = walk_range(lister, range, visit, stop);
    lock.lock();
    if (walked) {
      if (moved_on_) moved_on_();
    } else {
      failed_.push_back(active_[lister]);
      if (!error_) error_ = walked.error();
    }
    active_.erase(lister);
    waker_.notify_all();
  }
  waker_.notify_all();
}

Status Walk::walk_range(size_t lister, KeyRange range, const Visit& visit, const std::stop_token& stop) {
  for (int tries = 1;; ++tries) {
    if (began_) began_(range.after);
    // Finding a border takes requests, and each half a listing of its own: worth it where much is left, most likely.
    int keys = 0, split_keys = kSplitAfterPages * settings_.page_keys;
    const Depth depth = settings_.all_versions ? Depth::kHistory : Depth::kLatest;
    Listing source(source_, range, settings_.page_keys, depth, stop);
    Listing target(target_, range, settings_.page_keys, depth, stop);
    const Status walked = merge(source, target, [&](const Listed* ours, const Listed* theirs) -> Status {
      const std::string& key = ours ? ours->key : theirs->key;
      if (!is_reserved(source_.prefix, key) && !is_reserved(target_.prefix, key))
        if (Status visited = visit(ours, theirs); !visited) return visited;
      range.after = key;
      if (++keys % settings_.page_keys != 0) return {};
      tries = 1;
      if (keys >= split_keys && wants_work()) {
        const std::string upto = range.upto;
        split(lister, range, stop);
        split_keys = keys + (range.upto == upto ? 8 : 2) * settings_.page_keys;
      }
      move_on(lister, range);
      return {};
    });
    if (walked) return {};
    move_on(lister, range);
    const auto wait = retry_after(walked.error(), tries, settings_.retries);
    if (!wait || !walked.error().retryable) return walked;
    log::warn("listing failed, trying again",
              {{"link", settings_.link}, {"error", walked.error().message}, {"tries", tries}});
    if (!wait_for(*wait, stop)) return walked;
  }
}

void Walk::split(size_t lister, KeyRange& range, const std::stop_token& stop) {
  for (const Side* side : {&source_, &target_}) {
    auto border = split_point(*side, range.after, range.upto, stop);
    if (!border) return;  // the listing itself will tell what is wrong
    if (!*border) continue;
    MutexLock lock(mutex_);
    pending_.push_back({**border, range.upto});
    range.upto = std::move(**border);
    active_[lister].upto = range.upto;
    waker_.notify_all();
    return;
  }
}

}  // namespace twinspan::s3
