// Where at the target the records of a partition are, known exactly for each of them: runs of records that follow each
// other on both sides, written in the transaction that carries them.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/guarded.hpp"
#include "core/result.hpp"
#include "engines/kafka/state.hpp"

namespace twinspan::kafka_engine {

// Records of the state topic: the runs of a partition, a page each. Pages are numbered from 0 on; old ones may go.
inline constexpr size_t kRunsOfAPage = 32;
std::string page_key(const PartitionName& name, int64_t page);
struct PageName {
  PartitionName partition;
  int64_t page = 0;
  auto operator<=>(const PageName&) const = default;
};
Result<PageName> parse_page_key(std::string_view key);
std::string encode_page(const std::vector<Run>& runs);
Result<std::vector<Run>> decode_page(std::string_view value);  // kInvalid: of another version, or cut

struct Translated {
  enum class How {
    kUnknown,    // the partition is not carried, its lane has not begun yet, or what it knew holds no more
    kForgotten,  // the runs of so long ago are kept no more
    kRecord,     // the first mirrored record at or after the source's offset lies there
    kEnd,        // there is none yet: the end of what is mirrored
  };
  How how = How::kUnknown;
  int64_t offset = 0;  // at the target; of kRecord and kEnd
  bool operator==(const Translated&) const = default;
};

// The runs of one partition that are committed.
class OffsetHistory {
 public:
  // Behind all that were added; one that goes on where the last one ended makes that longer. kConflict: it is not
  // behind them, which no lane may write.
  Status add(const Run& run);
  // A page as it was stored, after those of lower numbers. What lies before a gap in the numbers counts no more.
  Status add_page(int64_t number, std::string_view value);
  Translated translate(int64_t source, int64_t target_end) const;

  // The last page alone, from which a lane makes what it is to store.
  OffsetHistory tail() const;
  std::map<int64_t, std::string> pages() const;  // as they are stored
  int64_t first() const { return first_; }       // the oldest page that is kept
  size_t bytes() const { return bytes_; }        // of the pages but the last
  bool has_full() const { return !full_.empty(); }
  size_t full_pages() const { return full_.size(); }
  size_t page_bytes(size_t page) const { return full_[page].runs.size(); }  // of the full ones, the oldest first
  void forget_first();                                                      // has_full() only

 private:
  struct Page {
    int64_t source = 0;  // of its first record
    std::string runs;
  };
  Translated from_page(size_t page, int64_t source, int64_t target_end) const;    // full_.size(): the open one
  int64_t number() const { return first_ + static_cast<int64_t>(full_.size()); }  // of the last one

  int64_t first_ = 0;
  std::deque<Page> full_;
  std::vector<Run> open_;
  size_t bytes_ = 0;  // of the full ones
};

// What a lane has committed, for whoever asks. Any thread.
class OffsetBook {
 public:
  Translated translate(const PartitionName& name, int64_t source) const;

  // By the lane alone.
  void begin(const PartitionName& name, OffsetHistory history, int64_t target_end);
  void commit(const PartitionName& name, const std::vector<Run>& runs, int64_t target_end);
  void withhold(
      const PartitionName& name);  // offsets of one side mean other records now: kUnknown until it begins anew
  OffsetHistory tail(const PartitionName& name) const;
  // What to forget so that all of them together are of so many bytes at most: the oldest pages of those that have most.
  std::vector<PageName> too_old(size_t most_bytes) const;
  void forget_page(const PageName& page);

 private:
  struct Partition {
    OffsetHistory history;
    int64_t target_end = 0;
    bool withheld = false;
  };
  mutable Mutex mutex_;
  std::map<PartitionName, Partition> partitions_ GUARDED_BY(mutex_);
};

}  // namespace twinspan::kafka_engine
