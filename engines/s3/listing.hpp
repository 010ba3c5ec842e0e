// One side's keys in order, a page ahead of the reader.
#pragma once
#include <condition_variable>
#include <optional>
#include <stop_token>
#include <string>

#include "core/guarded.hpp"
#include "core/role_thread.hpp"
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

// What is read of each key.
enum class Depth {
  kLatest,   // the object that is there now
  kHistory,  // its newest version, with up to kHistoryListed - 1 of its `older` ones
};
inline constexpr size_t kHistoryListed = 1000;

// Reads pages with a thread of its own, one ahead: at most three pages are in memory, and one key's history. Keys come
// without the side's prefix. Fails where the server's keys are not in ascending order: a comparison would take present
// keys for missing.
class Listing {
 public:
  // `range` is looked at again at every key, by the reader's thread: it may get shorter meanwhile.
  Listing(const Side& side, const KeyRange& range, int page_keys, Depth depth, const std::stop_token& stop);
  ~Listing();
  Listing(const Listing&) = delete;
  Listing& operator=(const Listing&) = delete;

  Result<const Listed*> peek();  // nullptr: at the end
  void pop();

 private:
  void read(const Side& side, KeyRange range, int page_keys, const std::stop_token& stop);
  Status turn_page();
  Result<const Listed*> next_entry();
  Result<const Listed*> peek_history();

  const KeyRange& range_;
  const Depth depth_;
  const std::string after_;
  const size_t prefix_bytes_;
  const std::string prefix_;
  Page page_;
  size_t next_ = 0;
  bool last_page_ = false;
  std::string last_key_;
  std::optional<Listed> history_;  // of the key that is next

  Mutex mutex_;
  std::condition_variable_any waker_;
  std::optional<Result<Page>> ahead_ GUARDED_BY(mutex_);
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> outer_stop_;
  RoleThread reader_;
};

}  // namespace twinspan::s3
