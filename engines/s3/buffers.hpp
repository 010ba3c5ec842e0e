// The memory that bodies pass through: one bound for all transfers together.
#pragma once
#include <condition_variable>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>
#include <vector>

#include "core/guarded.hpp"

namespace twinspan::s3 {

class Buffers;

// A body as it fills up. Gives its memory back when it goes.
class Buffer {
 public:
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&&) = delete;
  ~Buffer();
  bool append(std::string_view bytes);  // false: more than was asked for
  std::string_view bytes() const { return {memory_.get(), used_}; }

 private:
  friend class Buffers;
  Buffer(Buffers& owner, std::unique_ptr<char[]> memory, size_t capacity, size_t size)
      : owner_(&owner), memory_(std::move(memory)), capacity_(capacity), size_(size) {}
  Buffers* owner_;
  std::unique_ptr<char[]> memory_;
  size_t capacity_, size_, used_ = 0;
};

// Any thread. Whoever asks waits its turn, so that a large body isn't overtaken for ever; one that is larger than the
// bound gets its memory when it is alone.
class Buffers {
 public:
  explicit Buffers(size_t bytes_max) : bytes_max_(bytes_max) {}
  std::optional<Buffer> acquire(size_t bytes, const std::stop_token& stop);  // nullopt: stopped
  // The same without the memory, for who keeps his own: nothing can be appended.
  std::optional<Buffer> reserve(size_t bytes, const std::stop_token& stop);

 private:
  friend class Buffer;
  struct Free {
    std::unique_ptr<char[]> memory;
    size_t capacity;
  };
  bool wait_turn(size_t capacity, MutexLock& lock, const std::stop_token& stop) REQUIRES(mutex_);
  void release(std::unique_ptr<char[]> memory, size_t capacity);
  void make_room(size_t capacity) REQUIRES(mutex_);

  const size_t bytes_max_;
  Mutex mutex_;
  std::condition_variable_any waker_;
  size_t held_ GUARDED_BY(mutex_) = 0, kept_ GUARDED_BY(mutex_) = 0;
  uint64_t last_turn_ GUARDED_BY(mutex_) = 0;
  std::vector<uint64_t> waiting_ GUARDED_BY(mutex_);
  std::vector<Free> free_ GUARDED_BY(mutex_);
};

}  // namespace twinspan::s3
