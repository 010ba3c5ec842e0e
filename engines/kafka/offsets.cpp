#include "engines/kafka/offsets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <queue>

namespace twinspan::kafka_engine {
namespace {

constexpr int8_t kVersion = 1;

}  // namespace

// A topic's name has no '@', and the state's own keys neither.
std::string page_key(const PartitionName& name, int64_t page) { return fmt::format("{}@{}", state_key(name), page); }

Result<PageName> parse_page_key(std::string_view key) {
  const size_t sign = key.find('@');
  const auto partition = parse_state_key(key.substr(0, sign));
  const std::string_view number = sign == key.npos ? std::string_view() : key.substr(sign + 1);
  int64_t page = -1;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), page);
  if (!partition || error != std::errc() || end != number.data() + number.size() || page < 0)
    return fail(Code::kInvalid, fmt::format("state record \"{}\": expected TOPIC/PARTITION@PAGE", key));
  return PageName{*partition, page};
}

std::string encode_page(const std::vector<Run>& runs) {
  std::string bytes;
  kafka::Writer out(bytes);
  out.put(kVersion);
  Run before;
  for (const Run& run : runs) {
    out.uvarint(static_cast<uint64_t>(run.source - before.source - before.count));
    out.uvarint(static_cast<uint64_t>(run.target - before.target - before.count));
    out.uvarint(static_cast<uint64_t>(run.count));
    before = run;
  }
  return bytes;
}

Result<std::vector<Run>> decode_page(std::string_view value) {
  kafka::Reader in(value);
  int8_t version = 0;
  in.take(version);
  std::vector<Run> runs;
  Run before;
  bool sound = version == kVersion;
  while (sound && in.left() > 0) {
    const uint64_t source = in.uvarint(), target = in.uvarint(), count = in.uvarint();
    sound = !in.failed() && count > 0 && source <= INT64_MAX / 4 && target <= INT64_MAX / 4 && count <= INT64_MAX / 4;
    Run run{before.source + before.count, before.target + before.count, static_cast<int64_t>(count)};
    sound = sound && run.source <= INT64_MAX / 4 && run.target <= INT64_MAX / 4;
    run.source += static_cast<int64_t>(source);
    run.target += static_cast<int64_t>(target);
    runs.push_back(before = run);
  }
  if (!sound || in.failed() || runs.empty())
    return fail(Code::kInvalid, fmt::format("page of offsets of version {}, {} bytes: expected version {}", version,
                                            value.size(), kVersion));
  return runs;
}

Status OffsetHistory::add(const Run& run) {
  if (!open_.empty()) {
    Run& last = open_.back();
    if (run.count <= 0 || run.source < last.source + last.count || run.target < last.target + last.count)
      return fail(Code::kConflict, fmt::format("a run from {} to {} is not behind {} to {}", run.source, run.target,
                                               last.source + last.count, last.target + last.count));
    if (run.source == last.source + last.count && run.target == last.target + last.count) {
      last.count += run.count;
      return {};
    }
  }
  if (open_.size() >= kRunsOfAPage) {
    full_.push_back({open_.front().source, encode_page(open_)});
    bytes_ += full_.back().runs.size();
    open_.clear();
  }
  open_.push_back(run);
  return {};
}

Status OffsetHistory::add_page(int64_t number, std::string_view value) {
  auto runs = decode_page(value);
  if (!runs) return std::unexpected(runs.error());
  const bool none = full_.empty() && open_.empty();
  if (none || number != this->number() + 1) {
    full_.clear();
    open_.clear();
    bytes_ = 0;
    first_ = number;
  } else {
    const Run& last = open_.back();
    if (runs->front().source < last.source + last.count || runs->front().target < last.target + last.count)
      return fail(Code::kInvalid, fmt::format("page {} of offsets is not behind the one before", number));
    full_.push_back({open_.front().source, encode_page(open_)});
    bytes_ += full_.back().runs.size();
  }
  open_ = std::move(*runs);
  return {};
}

Translated OffsetHistory::from_page(size_t page, int64_t source, int64_t target_end) const {
  const auto in = [&](const std::vector<Run>& runs) -> std::optional<Translated> {
    for (const Run& run : runs)
      if (source < run.source + run.count)
        return Translated{Translated::How::kRecord, run.target + std::max<int64_t>(0, source - run.source)};
    return std::nullopt;
  };
  for (; page < full_.size(); ++page) {
    const auto runs = decode_page(full_[page].runs);
    if (!runs) return {};
    if (const auto found = in(*runs)) return *found;
  }
  return in(open_).value_or(Translated{Translated::How::kEnd, target_end});
}

Translated OffsetHistory::translate(int64_t source, int64_t target_end) const {
  const auto after = std::ranges::upper_bound(full_, source, {}, &Page::source);
  if (after != full_.begin()) return from_page(static_cast<size_t>(after - full_.begin()) - 1, source, target_end);
  // Before all that is known: nothing was mirrored before it, or nobody knows any more what.
  const int64_t oldest = !full_.empty() ? full_.front().source : !open_.empty() ? open_.front().source : source;
  if (source < oldest && first_ > 0) return {Translated::How::kForgotten, 0};
  return from_page(0, source, target_end);
}

OffsetHistory OffsetHistory::tail() const {
  OffsetHistory last;
  last.first_ = number();
  last.open_ = open_;
  return last;
}

std::map<int64_t, std::string> OffsetHistory::pages() const {
  std::map<int64_t, std::string> every;
  int64_t number = first_;
  for (const Page& page : full_) every.emplace(number++, page.runs);
  if (!open_.empty()) every.emplace(number, encode_page(open_));
  return every;
}

void OffsetHistory::forget_first() {
  bytes_ -= full_.front().runs.size();
  full_.pop_front();
  ++first_;
}

Translated OffsetBook::translate(const PartitionName& name, int64_t source) const {
  MutexLock lock(mutex_);
  const auto found = partitions_.find(name);
  if (found == partitions_.end() || found->second.withheld) return {};
  return found->second.history.translate(source, found->second.target_end);
}

void OffsetBook::begin(const PartitionName& name, OffsetHistory history, int64_t target_end) {
  MutexLock lock(mutex_);
  partitions_.insert_or_assign(name, Partition{std::move(history), target_end});
}

void OffsetBook::commit(const PartitionName& name, const std::vector<Run>& runs, int64_t target_end) {
  MutexLock lock(mutex_);
  const auto found = partitions_.find(name);
  if (found == partitions_.end()) return;
  for (const Run& run : runs)
    if (!found->second.history.add(run)) found->second.withheld = true;
  found->second.target_end = target_end;
}

void OffsetBook::withhold(const PartitionName& name) {
  MutexLock lock(mutex_);
  if (const auto found = partitions_.find(name); found != partitions_.end()) found->second.withheld = true;
}

OffsetHistory OffsetBook::tail(const PartitionName& name) const {
  MutexLock lock(mutex_);
  const auto found = partitions_.find(name);
  return found == partitions_.end() ? OffsetHistory() : found->second.history.tail();
}

std::vector<PageName> OffsetBook::too_old(size_t most_bytes) const {
  MutexLock lock(mutex_);
  struct Left {
    size_t bytes;
    const PartitionName* name;
    const OffsetHistory* history;
    size_t gone = 0;
    bool operator<(const Left& other) const { return bytes < other.bytes; }
  };
  size_t sum = 0;
  for (const auto& [name, partition] : partitions_) sum += partition.history.bytes();
  std::vector<PageName> pages;
  if (sum <= most_bytes) return pages;
  std::priority_queue<Left> most;
  for (const auto& [name, partition] : partitions_)
    if (partition.history.has_full()) most.push({partition.history.bytes(), &name, &partition.history});
  while (sum > most_bytes && !most.empty()) {
    Left one = most.top();
    most.pop();
    const size_t bytes = one.history->page_bytes(one.gone);
    pages.push_back({*one.name, one.history->first() + static_cast<int64_t>(one.gone)});
    sum -= bytes;
    one.bytes -= bytes;
    if (++one.gone < one.history->full_pages()) most.push(one);
  }
  return pages;
}

void OffsetBook::forget_page(const PageName& page) {
  MutexLock lock(mutex_);
  const auto found = partitions_.find(page.partition);
  if (found != partitions_.end() && found->second.history.has_full() && found->second.history.first() == page.page)
    found->second.history.forget_first();
}

}  // namespace twinspan::kafka_engine
