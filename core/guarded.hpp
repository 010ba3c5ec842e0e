// Mutexes that say what they guard. Clang proves it for every path (tests/locks); to GCC the words are comments.
// https://clang.llvm.org/docs/ThreadSafetyAnalysis.html
#pragma once
#include <mutex>
#include <shared_mutex>

#ifdef __clang__
#define TWINSPAN_THREAD_SAFETY(attribute) __attribute__((attribute))
#else
#define TWINSPAN_THREAD_SAFETY(attribute)
#endif

// Of members: read and written with the mutex held only.
#define GUARDED_BY(mutex) TWINSPAN_THREAD_SAFETY(guarded_by(mutex))
// Of functions: called with it held, without it. Lambdas take them after their parameters.
#define REQUIRES(mutex) TWINSPAN_THREAD_SAFETY(requires_capability(mutex))
#define EXCLUDES(mutex) TWINSPAN_THREAD_SAFETY(locks_excluded(mutex))

namespace twinspan {

class TWINSPAN_THREAD_SAFETY(capability("mutex")) Mutex {
 public:
  void lock() TWINSPAN_THREAD_SAFETY(acquire_capability()) { mutex_.lock(); }
  void unlock() TWINSPAN_THREAD_SAFETY(release_capability()) { mutex_.unlock(); }
  bool try_lock() TWINSPAN_THREAD_SAFETY(try_acquire_capability(true)) { return mutex_.try_lock(); }

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

// Held from here to the end of the block, unless it is let go and taken again in between.
class TWINSPAN_THREAD_SAFETY(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) TWINSPAN_THREAD_SAFETY(acquire_capability(mutex)) : lock_(mutex.mutex_) {}
  // One that try_lock() got.
  MutexLock(Mutex& mutex, std::adopt_lock_t held) REQUIRES(mutex) : lock_(mutex.mutex_, held) {}
  ~MutexLock() TWINSPAN_THREAD_SAFETY(release_capability()) = default;
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  void lock() TWINSPAN_THREAD_SAFETY(acquire_capability()) { lock_.lock(); }
  void unlock() TWINSPAN_THREAD_SAFETY(release_capability()) { lock_.unlock(); }
  // What condition variables wait with.
  std::unique_lock<std::mutex>& native() { return lock_; }

 private:
  std::unique_lock<std::mutex> lock_;
};

class TWINSPAN_THREAD_SAFETY(capability("mutex")) SharedMutex {
 public:
  void lock() TWINSPAN_THREAD_SAFETY(acquire_capability()) { mutex_.lock(); }
  void unlock() TWINSPAN_THREAD_SAFETY(release_capability()) { mutex_.unlock(); }
  void lock_shared() TWINSPAN_THREAD_SAFETY(acquire_shared_capability()) { mutex_.lock_shared(); }
  void unlock_shared() TWINSPAN_THREAD_SAFETY(release_shared_capability()) { mutex_.unlock_shared(); }

 private:
  std::shared_mutex mutex_;
};

class TWINSPAN_THREAD_SAFETY(scoped_lockable) ReadLock {
 public:
  explicit ReadLock(SharedMutex& mutex) TWINSPAN_THREAD_SAFETY(acquire_shared_capability(mutex)) : mutex_(mutex) {
    mutex_.lock_shared();
  }
  ~ReadLock() TWINSPAN_THREAD_SAFETY(release_generic_capability()) { mutex_.unlock_shared(); }
  ReadLock(const ReadLock&) = delete;
  ReadLock& operator=(const ReadLock&) = delete;

 private:
  SharedMutex& mutex_;
};

class TWINSPAN_THREAD_SAFETY(scoped_lockable) WriteLock {
 public:
  explicit WriteLock(SharedMutex& mutex) TWINSPAN_THREAD_SAFETY(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~WriteLock() TWINSPAN_THREAD_SAFETY(release_capability()) { mutex_.unlock(); }
  WriteLock(const WriteLock&) = delete;
  WriteLock& operator=(const WriteLock&) = delete;

 private:
  SharedMutex& mutex_;
};

}  // namespace twinspan
