// When a lane is begun anew though nothing of what it goes by has changed: it ended by itself, or partitions stand
// still for what may have been put right meanwhile. Pure.
#pragma once
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "worker/kafka/carrier.hpp"

namespace twinspan::worker_kafka {

// Whose pod this is, as the API server says; unknown: it could not be asked.
enum class PodOwner { kOurs, kAnothers, kUnknown };

// Used by one thread.
class SecondThoughts {
 public:
  uint64_t attempt() const { return attempt_; }

  struct Verdict {
    bool ask_owner = false;                    // whose pod this is has to be known
    bool end = false;                          // the process: its pod is another's by now
    std::optional<kafka_engine::Stall> stall;  // nothing is begun anew by itself
    std::string waits;
  };
  // `owner`: what was answered where ask_owner was said before.
  Verdict look(const CarrierLook& carrier, std::optional<PodOwner> owner, BootTime now);

 private:
  void soon(BootTime now, std::chrono::seconds least, std::chrono::seconds most);

  uint64_t attempt_ = 0;
  std::optional<BootTime> again_at_, good_since_;
  std::chrono::seconds wait_{0};
};

}  // namespace twinspan::worker_kafka
