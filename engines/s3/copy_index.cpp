#include "engines/s3/copy_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/log.hpp"
#include "engines/s3/state_objects.hpp"
#include "s3/digest.hpp"

namespace twinspan::s3 {

struct CopyIndex::Piece {
  std::string after;
  bool from_border = false;  // it begins where a segment begins
  bool stored = false;       // what is noted from now on comes too late
  int out = 0;               // places not given back
  std::vector<CopyMark> marks;
};

namespace {

constexpr std::string_view kMagic = "twinspan-index-1";
constexpr size_t kMarkBytes = 16, kClosedMax = 64;

void append_number(std::string& bytes, uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
}

uint64_t number_at(std::string_view bytes, size_t at) {
  uint64_t number = 0;
  for (size_t i = at; i < at + 8; ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

uint64_t hash_of(std::initializer_list<std::string_view> texts) {
  std::string bytes;
  for (std::string_view text : texts) {
    append_number(bytes, text.size());
    bytes += text;
  }
  return number_at(sha256_of(bytes), 0);
}

// FNV-1a with a last stir: the same in every version, whatever it is compiled with.
bool is_border(std::string_view key) {
  uint64_t hash = 14695981039346656037u;
  for (char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdu;
  hash ^= hash >> 33;
  return hash % 16384 == 0;
}

bool by_source(const CopyMark& a, const CopyMark& b) { return a.source < b.source; }

uint64_t digest_of(const std::vector<CopyMark>& marks) {
  uint64_t sum = 0;
  for (const CopyMark& mark : marks)
    sum += (mark.source ^ (mark.target << 32 | mark.target >> 32)) * 0x9e3779b97f4a7c15u;
  return sum;
}

}  // namespace

CopyMark copy_mark(const Settings& settings, const Listed& source, const std::string& target_etag, bool listed) {
  const std::string form = settings.restore ? "restored" : settings.stored.mark();
  return {hash_of({source.key, source.etag, std::to_string(source.size_bytes), form}),
          (hash_of({target_etag}) & ~uint64_t{1}) | (listed ? 1 : 0)};
}

Json to_json(const std::vector<IndexSegment>& segments) {
  Json json = {{"version", 1}, {"segments", Json::array()}};
  for (const IndexSegment& segment : segments)
    json["segments"].push_back(
        {{"after", segment.after}, {"count", segment.count}, {"digest", fmt::format("{:016x}", segment.digest)}});
  return json;
}

std::vector<IndexSegment> parse_index_segments(const Json& json) {
  std::vector<IndexSegment> segments;
  if (integer_of(json, "version") != 1) return segments;
  for (const Json& one : member_of(json, "segments")) {
    const std::string digest = from_hex(text_of(one, "digest"));
    if (digest.size() != 8) return {};
    segments.push_back({text_of(one, "after"), static_cast<uint64_t>(integer_of(one, "count")), number_at(digest, 0)});
    if (segments.size() > 1 && segments[segments.size() - 2].after >= segments.back().after) return {};
  }
  return segments;
}

std::string CopyIndex::folder() const {
  return fmt::format("{}index/{}/", kReservedPrefix, name_of_share(route_.settings.link, route_.settings.share));
}

std::string CopyIndex::name_of(const std::string& after) const {
  return folder() + "segments/" + to_hex(sha256_of(after).substr(0, 16));
}

CopyIndex::Cursor& CopyIndex::cursor() { return cursors_[std::this_thread::get_id()]; }

void CopyIndex::load_manifest(const std::stop_token& stop) {
  std::call_once(once_, [&] {
    const auto text = read_state(route_.target.bucket, folder() + "manifest.json", stop);
    if (text) before_ = parse_index_segments(Json::parse(*text, nullptr, false));
  });
}

void CopyIndex::load(Cursor& cursor, const std::string& after, const std::stop_token& stop) {
  cursor.marks.clear();
  cursor.loaded = after;
  cursor.has_loaded = true;
  const auto bytes = read_state(route_.target.bucket, name_of(after), stop);
  if (!bytes || !bytes->starts_with(kMagic) || bytes->size() % kMarkBytes != 0) return;
  cursor.marks.reserve(bytes->size() / kMarkBytes);
  for (size_t at = kMagic.size(); at < bytes->size(); at += kMarkBytes)
    cursor.marks.push_back({number_at(*bytes, at), number_at(*bytes, at + 8)});
  std::sort(cursor.marks.begin(), cursor.marks.end(), by_source);
}

Known CopyIndex::look(const Listed& source, const Listed& target, const std::stop_token& stop) {
  load_manifest(stop);
  auto segment = std::lower_bound(before_.begin(), before_.end(), source.key,
                                  [](const IndexSegment& one, const std::string& key) { return one.after < key; });
  if (segment == before_.begin()) return Known::kNothing;
  --segment;
  MutexLock lock(mutex_);
  Cursor& mine = cursor();  // only this thread touches it
  lock.unlock();
  if (!mine.has_loaded || mine.loaded != segment->after) load(mine, segment->after, stop);
  const CopyMark wanted = copy_mark(route_.settings, source, target.etag, true);
  const auto found = std::lower_bound(mine.marks.begin(), mine.marks.end(), wanted, by_source);
  if (found == mine.marks.end() || found->source != wanted.source) return Known::kNothing;
  if ((found->target | 1) == wanted.target) return Known::kSame;
  return found->target & 1 ? Known::kOther : Known::kNothing;
}

void CopyIndex::begin_range(const std::string& after) {
  MutexLock lock(mutex_);
  Cursor& mine = cursor();
  if (mine.piece) parts_.push_back(mine.piece);
  mine.piece = std::make_shared<Piece>();
  mine.piece->after = after;
  mine.piece->from_border = after.empty() || is_border(after);
}

void CopyIndex::close(Cursor& cursor) {
  const Place piece = std::exchange(cursor.piece, nullptr);
  if (!piece->from_border)
    parts_.push_back(piece);
  else
    (piece->out > 0 ? static_cast<void>(closed_.push_back(piece)) : ready_.push_back(piece));
}

CopyIndex::Place CopyIndex::place(const std::string& key, const std::stop_token& stop) {
  Place place;
  {
    MutexLock lock(mutex_);
    Cursor& mine = cursor();
    if (!mine.piece) {  // whoever walks without saying where: nothing is known of what lies before
      mine.piece = std::make_shared<Piece>();
      mine.piece->after = key;
    }
    place = mine.piece;
    ++place->out;
    if (!is_border(key)) return place;
    close(mine);
    mine.piece = std::make_shared<Piece>();
    mine.piece->after = key;
    mine.piece->from_border = true;
    if (closed_.size() > kClosedMax) {  // some object takes very long: its mark will be missing
      ready_.push_back(closed_.front());
      closed_.pop_front();
    }
  }
  store_ready(stop);
  return place;
}

void CopyIndex::note(const Place& place, const CopyMark& mark) {
  MutexLock lock(mutex_);
  if (!place->stored) place->marks.push_back(mark);
}

void CopyIndex::release(const Place& place) {
  MutexLock lock(mutex_);
  if (--place->out > 0) return;
  const auto at = std::find(closed_.begin(), closed_.end(), place);
  if (at == closed_.end()) return;
  ready_.push_back(place);
  closed_.erase(at);
}

void CopyIndex::store_ready(const std::stop_token& stop) {
  for (;;) {
    MutexLock lock(mutex_);
    if (ready_.empty()) return;
    const Place piece = ready_.back();
    ready_.pop_back();
    piece->stored = true;
    std::vector<CopyMark> marks = std::move(piece->marks);
    lock.unlock();
    if (Status stored = store(piece->after, std::move(marks), stop); !stored)
      log::debug("index segment not stored", {{"link", route_.settings.link}, {"error", stored.error().message}});
  }
}

Status CopyIndex::store(const std::string& after, std::vector<CopyMark> marks, const std::stop_token& stop) {
  if (marks.empty()) return {};
  load_manifest(stop);
  const IndexSegment segment{after, marks.size(), digest_of(marks)};
  const auto old = std::lower_bound(before_.begin(), before_.end(), after,
                                    [](const IndexSegment& one, const std::string& key) { return one.after < key; });
  if (old == before_.end() || *old != segment) {
    std::sort(marks.begin(), marks.end(), by_source);
    std::string bytes(kMagic);
    bytes.reserve(kMagic.size() + marks.size() * kMarkBytes);
    for (const CopyMark& mark : marks) {
      append_number(bytes, mark.source);
      append_number(bytes, mark.target);
    }
    PutRequest request{name_of(after)};
    request.metadata.content_type = "application/octet-stream";
    const auto put = route_.target.bucket.put(request, bytes, stop);
    if (!put) return std::unexpected(put.error());
  }
  MutexLock lock(mutex_);
  after_.push_back(segment);
  return {};
}

Status CopyIndex::finish(const std::stop_token& stop) {
  {
    MutexLock lock(mutex_);
    for (auto& [thread, mine] : cursors_)
      if (mine.piece) parts_.push_back(std::exchange(mine.piece, nullptr));
    for (const Place& piece : closed_) ready_.push_back(piece);
    closed_.clear();
    // A piece that doesn't begin at a border goes on where the one before it ends.
    std::sort(parts_.begin(), parts_.end(), [](const Place& a, const Place& b) {
      return std::pair(std::string_view(a->after), !a->from_border) <
             std::pair(std::string_view(b->after), !b->from_border);
    });
    Place whole;
    for (const Place& piece : parts_) {
      if (!whole || piece->from_border) {
        ready_.push_back(whole = piece);
      } else {
        whole->marks.insert(whole->marks.end(), piece->marks.begin(), piece->marks.end());
      }
    }
    parts_.clear();
  }
  store_ready(stop);
  MutexLock lock(mutex_);
  std::sort(after_.begin(), after_.end(),
            [](const IndexSegment& a, const IndexSegment& b) { return a.after < b.after; });
  if (after_ == before_) return {};  // also where nothing had to be asked of it and nothing has to be kept
  Bucket& bucket = route_.target.bucket;
  if (Status written = write_state(bucket, folder() + "manifest.json", to_json(after_), stop); !written) return written;
  std::set<std::string_view> kept;
  for (const IndexSegment& segment : after_) kept.insert(segment.after);
  for (const IndexSegment& segment : before_)
    if (!kept.contains(segment.after))
      if (Status removed = bucket.remove(name_of(segment.after), stop); !removed) return removed;
  return {};
}

}  // namespace twinspan::s3
