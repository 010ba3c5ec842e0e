#include "engines/postgres/wal_end.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

namespace twinspan::postgres {
namespace {

constexpr uint64_t kPageBytes = 8192;
constexpr uint64_t kRecordHeaderBytes = 24;  // XLogRecord: tot_len 0, xid 4, prev 8, info 16, rmid 17, crc 20
constexpr uint64_t kRecordBytesMax = 1U << 30;
constexpr uint16_t kContinues = 0x0001;   // XLP_FIRST_IS_CONTRECORD
constexpr uint16_t kLongHeader = 0x0002;  // XLP_LONG_HEADER

using Page = std::array<unsigned char, kPageBytes>;

template <class T>
T at(const unsigned char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// CRC-32C, reflected, eight bytes a step.
class Crc {
 public:
  void add(const unsigned char* bytes, size_t count) {
    const Tables& t = tables();
    while (count >= 8) {
      const uint32_t low = at<uint32_t>(bytes) ^ state_;
      const uint32_t high = at<uint32_t>(bytes + 4);
      state_ = t[7][low & 0xff] ^ t[6][(low >> 8) & 0xff] ^ t[5][(low >> 16) & 0xff] ^ t[4][low >> 24] ^
               t[3][high & 0xff] ^ t[2][(high >> 8) & 0xff] ^ t[1][(high >> 16) & 0xff] ^ t[0][high >> 24];
      bytes += 8;
      count -= 8;
    }
    for (; count > 0; --count) state_ = t[0][(state_ ^ *bytes++) & 0xff] ^ (state_ >> 8);
  }
  uint32_t value() const { return ~state_; }

 private:
  using Tables = std::array<std::array<uint32_t, 256>, 8>;
  static const Tables& tables() {
    static const Tables made = [] {
      Tables t{};
      for (uint32_t i = 0; i < 256; ++i) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
        t[0][i] = crc;
      }
      for (size_t n = 1; n < 8; ++n)
        for (uint32_t i = 0; i < 256; ++i) t[n][i] = t[0][t[n - 1][i] & 0xff] ^ (t[n - 1][i] >> 8);
      return t;
    }();
    return made;
  }
  uint32_t state_ = 0xffffffffU;
};

// Pages in order. A page that doesn't say it is the one at its address is what an earlier use of the file left: the log
// ended before.
class Pages {
 public:
  Pages(std::string directory, uint32_t timeline, uint64_t segment_bytes)
      : directory_(std::move(directory)), timeline_(timeline), segment_bytes_(segment_bytes) {}
  ~Pages() {
    if (fd_ >= 0) close(fd_);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  // nullptr: there is none, or it isn't valid.
  const Page* page(uint64_t address) {
    if (loaded_ == address) return &page_;
    const uint64_t segment = address / segment_bytes_;
    if (fd_ < 0 || segment != segment_) {
      if (fd_ >= 0) close(fd_);
      const std::string path = directory_ + "/" + wal_segment_name(timeline_, {address}, segment_bytes_);
      fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
      if (fd_ < 0) return nullptr;
      posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);
      segment_ = segment;
    }
    if (pread(fd_, page_.data(), kPageBytes, static_cast<off_t>(address % segment_bytes_)) !=
        static_cast<ssize_t>(kPageBytes)) {
      loaded_.reset();
      return nullptr;
    }
    // XLogPageHeaderData: magic 0, info 2, tli 4, pageaddr 8, rem_len 16.
    const uint16_t magic = at<uint16_t>(page_.data());
    if (!magic_) magic_ = magic;
    loaded_.reset();
    if (magic != *magic_ || magic == 0 || at<uint64_t>(page_.data() + 8) != address ||
        at<uint32_t>(page_.data() + 4) > timeline_)
      return nullptr;
    loaded_ = address;
    return &page_;
  }

  static uint64_t header_bytes(const Page& page) {
    return (at<uint16_t>(page.data() + 2) & kLongHeader) != 0 ? 40 : 24;
  }

 private:
  const std::string directory_;
  const uint32_t timeline_;
  const uint64_t segment_bytes_;
  int fd_ = -1;
  uint64_t segment_ = 0;
  std::optional<uint16_t> magic_;
  std::optional<uint64_t> loaded_;
  Page page_{};
};

// The bytes of one record, gathered over its pages, and where it ends; nullopt: it isn't whole.
std::optional<uint64_t> gather(Pages& pages, uint64_t start, std::vector<unsigned char>& record) {
  record.clear();
  uint64_t length = 0;
  uint64_t position = start;
  for (;;) {
    const uint64_t address = position / kPageBytes * kPageBytes;
    const Page* page = pages.page(address);
    if (page == nullptr) return std::nullopt;
    if (position == address) {
      const bool continues = (at<uint16_t>(page->data() + 2) & kContinues) != 0;
      if (continues != !record.empty()) return std::nullopt;
      if (continues && at<uint32_t>(page->data() + 16) != length - record.size()) return std::nullopt;
      position += Pages::header_bytes(*page);
    }
    const uint64_t offset = position - address;
    if (record.empty()) {  // the length never straddles pages: records are aligned to 8 bytes
      length = at<uint32_t>(page->data() + offset);
      if (length < kRecordHeaderBytes || length > kRecordBytesMax) return std::nullopt;
    }
    const uint64_t step = std::min(length - record.size(), kPageBytes - offset);
    record.insert(record.end(), page->data() + offset, page->data() + offset + step);
    position += step;
    if (record.size() == length) return (position + 7) / 8 * 8;
  }
}

bool checksum_holds(const std::vector<unsigned char>& record) {
  Crc crc;
  crc.add(record.data() + kRecordHeaderBytes, record.size() - kRecordHeaderBytes);
  crc.add(record.data(), 20);
  return crc.value() == at<uint32_t>(record.data() + 20);
}

}  // namespace

std::string wal_segment_name(uint32_t timeline, Position at, uint64_t segment_bytes) {
  const uint64_t segment = at.value / segment_bytes;
  const uint64_t per_id = 0x100000000ULL / segment_bytes;
  return fmt::format("{:08X}{:08X}{:08X}", timeline, segment / per_id, segment % per_id);
}

Result<Position> end_of_wal(const std::string& wal_directory, uint32_t timeline, Position start, uint64_t segment_bytes,
                            const std::stop_token& stop) {
  Pages pages(wal_directory, timeline, segment_bytes);
  std::vector<unsigned char> record;
  uint64_t end = start.value;
  std::optional<uint64_t> previous;
  for (;;) {
    if (stop.stop_requested()) return fail(Code::kCancelled, "stopped");
    uint64_t begin = end;
    if (begin % kPageBytes == 0) {
      const Page* page = pages.page(begin);
      if (page == nullptr) break;
      begin += Pages::header_bytes(*page);
      // gather() looks at the page's start itself; the record is said to begin after the header.
    }
    const auto next = gather(pages, end, record);
    if (!next || !checksum_holds(record)) break;
    if (previous && at<uint64_t>(record.data() + 8) != *previous) break;
    previous = begin;
    end = *next;
    // XLOG_SWITCH (rmgr 0, info 0x40): the rest of the segment is empty.
    const bool switches = record[17] == 0 && (record[16] & 0xf0) == 0x40;
    if (switches && end % segment_bytes != 0) end = (end / segment_bytes + 1) * segment_bytes;
  }
  return Position{end};
}

}  // namespace twinspan::postgres
