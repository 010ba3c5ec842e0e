// What a member remembers beside its data. Every object of the API can be deleted, restored from an old backup or
// applied anew; what is written here goes only where the data go.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "failover/epochs.hpp"
#include "failover/types.hpp"

namespace twinspan {

// What the data here have of the history of their epoch.
enum class DataPart {
  kSome,     // a prefix of it, which may end before the epoch began
  kBegun,    // everything from before the epoch, and a part of it
  kPrimary,  // written here, as the primary of the epoch: every commit that was acknowledged until it ended
};
std::string_view to_string(DataPart part);  // "Some", "Begun", "Primary"
std::optional<DataPart> parse_data_part(std::string_view text);

// Written durably before what it says can matter: before the first write of an epoch, before the first byte of another
// history is received.
struct MemberMemory {
  Epoch epoch_seen;                 // the highest of any lease that somebody was seen to hold; never goes down
  std::optional<Epoch> data_epoch;  // whose history the data here belong to. 0: no data, or a copy that follows nobody
                                    // yet; nullopt: data of a version that remembered nothing
  DataPart part = DataPart::kSome;
  std::chrono::seconds lease{0};  // how long the holder of epoch_seen may act without being heard of
  EpochHistory epochs{};          // that wrote the data here; empty: not known
  bool operator==(const MemberMemory&) const = default;
};

// The epoch whose promotion began the log that the data are of; where that is not known, the epoch of the data.
// Of two copies of one log the longer has all that the other has, whatever epoch either has heard of.
Epoch log_of(const MemberMemory& memory);

std::string to_string(const MemberMemory& memory);  // "seen 3, data 2 Primary"

}  // namespace twinspan
