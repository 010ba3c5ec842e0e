// Preloaded into a worker: its wall clock is wrong by CLOCK_OFFSET_SECONDS, its other clocks are right.
#include <dlfcn.h>
#include <time.h>

#include <cstdlib>

extern "C" int clock_gettime(clockid_t which, timespec* time) noexcept {
  using Function = int (*)(clockid_t, timespec*);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "clock_gettime"));
  static const char* const offset = std::getenv("CLOCK_OFFSET_SECONDS");
  const int result = real(which, time);
  if (which == CLOCK_REALTIME && offset) time->tv_sec += std::atol(offset);
  return result;
}

extern "C" time_t time(time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
