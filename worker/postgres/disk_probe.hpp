// Whether the data volume answers: a small synced write, again and again, on a thread that may hang for ever without
// holding anybody up. Also the volume's size, since asking for it may hang, too.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "engines/postgres/room.hpp"

namespace twinspan::worker {

// A write that takes so long is taken for one that never ends: a primary gives up its lease.
inline constexpr std::chrono::seconds kDiskHangs{30};

// Size and room of the file system that holds `path`.
Result<postgres::Volume> volume_of(const std::string& path);
// Writes a few bytes below `directory`, waits until they are on disk, and measures.
Result<postgres::Volume> touch_disk(const std::string& directory);

class DiskProbe {
 public:
  using Touch = std::function<Result<postgres::Volume>()>;
  using OnMeasured = std::function<void(const postgres::Volume&)>;

  // `on_measured` is called on the probe's thread, never after stop().
  DiskProbe(const Clock& clock, Touch touch, OnMeasured on_measured);
  ~DiskProbe();
  DiskProbe(const DiskProbe&) = delete;
  DiskProbe& operator=(const DiskProbe&) = delete;
  void start();
  void stop();  // doesn't wait for a write that hangs

  // How long the write under way has been waited for; 0 while none is. Any thread.
  std::chrono::nanoseconds waiting() const;

 private:
  struct State;
  static void run(const std::shared_ptr<State>& state);
  std::shared_ptr<State> state_;
};

}  // namespace twinspan::worker
