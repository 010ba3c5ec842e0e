// What listings can't tell, remembered: which object of the target, by its ETag, is the copy of which of the source.
// Kept in the target bucket, so that an unchanged bucket costs listings only, also where ETags never match.
//
// It is a cache. A mark holds hashes of the source's key, ETag and size, of the wanted form, and of the target's ETag:
// it says "the same" only where both listings show what was there when the copy was proven. Missing, stale or half
// written marks cost a look at the object, nothing else.
//
// Marks lie in segments of about 16,000, in the order of keys; a segment ends with a key whose hash is a multiple of
// 16,384, so that borders stay where they are however a walk divides the keys. Memory is a segment or two per lister.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "core/guarded.hpp"
#include "core/json.hpp"
#include "engines/s3/route.hpp"

namespace twinspan::s3 {

struct CopyMark {
  uint64_t source = 0;  // key, ETag and size of the source, and the form of the copy
  uint64_t target =
      0;  // ETag of the copy; the lowest bit: it is one that listings show, not only what an upload answered
  bool operator==(const CopyMark&) const = default;
};
// `listed`: the ETag comes from a listing, or is a digest of what was written.
CopyMark copy_mark(const Settings& settings, const Listed& source, const std::string& target_etag, bool listed);

struct IndexSegment {
  std::string after;  // the key that its keys come after: its name
  uint64_t count = 0, digest = 0;
  bool operator==(const IndexSegment&) const = default;
};
Json to_json(const std::vector<IndexSegment>& segments);
std::vector<IndexSegment> parse_index_segments(const Json& json);  // in order; empty where it is not what we write

enum class Known {
  kNothing,
  kSame,   // the target's object is the proven copy of the source's
  kOther,  // a copy was proven, and this is not it: it was overwritten behind our back
};

// One walk over both sides. Listers call begin_range, look and place, each for keys in ascending order.
class CopyIndex {
 public:
  struct Piece;  // of a segment, as far as one lister has come
  using Place = std::shared_ptr<Piece>;

  explicit CopyIndex(Route& route) : route_(route) {}

  void begin_range(const std::string& after);
  Known look(const Listed& source, const Listed& target, const std::stop_token& stop);
  // Where the mark of `key` belongs. Everything taken by place() is given back by release().
  Place place(const std::string& key, const std::stop_token& stop);
  void note(const Place& place, const CopyMark& mark);
  void release(const Place& place);
  // After a walk that saw all keys, when every place was given back: what was noted is what counts from now on.
  Status finish(const std::stop_token& stop);

 private:
  struct Cursor {  // of one lister
    Place piece;
    std::string loaded;  // the segment in `marks`
    bool has_loaded = false;
    std::vector<CopyMark> marks;  // sorted
  };
  std::string folder() const;
  std::string name_of(const std::string& after) const;
  void load_manifest(const std::stop_token& stop);
  void load(Cursor& cursor, const std::string& after, const std::stop_token& stop);
  void close(Cursor& cursor) REQUIRES(mutex_);
  void store_ready(const std::stop_token& stop);
  Status store(const std::string& after, std::vector<CopyMark> marks, const std::stop_token& stop);
  Cursor& cursor() REQUIRES(mutex_);

  Route& route_;
  std::once_flag once_;
  std::vector<IndexSegment> before_;  // read once, then only read
  Mutex mutex_;
  std::map<std::thread::id, Cursor> cursors_ GUARDED_BY(mutex_);
  std::deque<Place> closed_ GUARDED_BY(mutex_);  // whole segments that still have places out
  std::vector<Place> ready_ GUARDED_BY(mutex_), parts_
      GUARDED_BY(mutex_);  // whole segments to be stored; parts that are joined at the end
  std::vector<IndexSegment> after_ GUARDED_BY(mutex_);
};

// A place that is given back when whoever has it goes.
class CopySlot {
 public:
  CopySlot(std::shared_ptr<CopyIndex> index, CopyIndex::Place place)
      : index_(std::move(index)), place_(std::move(place)) {}
  ~CopySlot() { index_->release(place_); }
  CopySlot(const CopySlot&) = delete;
  CopySlot& operator=(const CopySlot&) = delete;
  void note(const CopyMark& mark) { index_->note(place_, mark); }

 private:
  const std::shared_ptr<CopyIndex> index_;
  const CopyIndex::Place place_;
};

}  // namespace twinspan::s3
