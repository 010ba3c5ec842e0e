// One side's keys in order, a page ahead of the reader.
#pragma once
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "engines/s3/settings.hpp"

namespace twinspan::s3 {

// Of keys below a side's prefix.
struct KeyRange {
  std::string after{};  // exclusive
  std::string upto{};   // inclusive; empty: to the end
  bool operator==(const KeyRange&) const = default;
};

// True for keys under kReservedPrefix. `key` is below `prefix`.
bool is_reserved(std::string_view prefix, std::string_view key);

// Reads pages with a thread of its own, one ahead: at most three pages are in memory. Keys come without the side's
// prefix. Fails where the server's keys are not in ascending order: a comparison would take present keys for missing.
class Listing {
 public:
  // `range` is looked at again at every key, by the reader's thread: it may get shorter meanwhile.
  Listing(const Side& side, const KeyRange& range, int page_keys, const std::stop_token& stop);
  ~Listing();
  Listing(const Listing&) = delete;
  Listing& operator=(const Listing&) = delete;

  Result<const Listed*> peek();  // nullptr: at the end
  void pop() { ++next_; }

 private:
  void read(const Side& side, KeyRange range, int page_keys, const std::stop_token& stop);
  Status turn_page();

  const KeyRange& range_;
  const size_t prefix_bytes_;
  const std::string prefix_;
  Page page_;
  size_t next_ = 0;
  bool last_page_ = false;
  std::string last_key_;

  std::mutex mutex_;
  std::condition_variable_any waker_;
  std::optional<Result<Page>> ahead_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> outer_stop_;
  std::jthread reader_;
};

}  // namespace twinspan::s3
