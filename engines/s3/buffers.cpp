#include "engines/s3/buffers.hpp"

#include <cstring>

#include "core/guarded.hpp"

namespace twinspan::s3 {

Buffer::Buffer(Buffer&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)),
      memory_(std::move(other.memory_)),
      capacity_(other.capacity_),
      size_(other.size_),
      used_(other.used_) {}

Buffer::~Buffer() {
  if (owner_) owner_->release(std::move(memory_), capacity_);
}

bool Buffer::append(std::string_view bytes) {
  if (bytes.size() > size_ - used_) return false;
  std::memcpy(memory_.get() + used_, bytes.data(), bytes.size());
  used_ += bytes.size();
  return true;
}

bool Buffers::wait_turn(size_t capacity, MutexLock& lock, const std::stop_token& stop) {
  const uint64_t turn = ++last_turn_;
  waiting_.push_back(turn);
  const bool mine = waker_.wait(lock, stop, [&]() REQUIRES(mutex_) {
    return waiting_.front() == turn && (held_ == 0 || held_ + capacity <= bytes_max_);
  });
  std::erase(waiting_, turn);
  waker_.notify_all();
  return mine;
}

std::optional<Buffer> Buffers::reserve(size_t bytes, const std::stop_token& stop) {
  MutexLock lock(mutex_);
  if (!wait_turn(bytes, lock, stop)) return std::nullopt;
  make_room(bytes);
  held_ += bytes;
  return Buffer(*this, nullptr, bytes, 0);
}

std::optional<Buffer> Buffers::acquire(size_t bytes, const std::stop_token& stop) {
  constexpr size_t kGrain = 64 << 10;
  const size_t capacity = std::max<size_t>(1, (bytes + kGrain - 1) / kGrain) * kGrain;
  MutexLock lock(mutex_);
  if (!wait_turn(capacity, lock, stop)) return std::nullopt;
  // Memory that was used before needs no new pages from the kernel.
  const auto fits = std::find_if(free_.begin(), free_.end(), [&](const Free& free) REQUIRES(mutex_) {
    return free.capacity >= capacity && free.capacity <= 2 * capacity && held_ + free.capacity <= bytes_max_;
  });
  if (fits != free_.end()) {
    Free taken = std::move(*fits);
    free_.erase(fits);
    kept_ -= taken.capacity;
    held_ += taken.capacity;
    return Buffer(*this, std::move(taken.memory), taken.capacity, bytes);
  }
  make_room(capacity);
  held_ += capacity;
  return Buffer(*this, std::make_unique_for_overwrite<char[]>(capacity), capacity, bytes);
}

void Buffers::make_room(size_t capacity) {
  while (!free_.empty() && held_ + kept_ + capacity > bytes_max_) {
    kept_ -= free_.front().capacity;
    free_.erase(free_.begin());
  }
}

void Buffers::release(std::unique_ptr<char[]> memory, size_t capacity) {
  {
    MutexLock lock(mutex_);
    held_ -= capacity;
    if (memory && held_ + kept_ + capacity <= bytes_max_) {
      kept_ += capacity;
      free_.push_back({std::move(memory), capacity});
    }
  }
  waker_.notify_all();
}

}  // namespace twinspan::s3
