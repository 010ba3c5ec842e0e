// The words that failover is spoken in. Knows nothing of Kubernetes or of any engine.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twinspan {

// Grows by one with every acquisition of the primary lease; fences whatever is older. 0: nobody was ever primary.
struct Epoch {
  int64_t value = 0;
  auto operator<=>(const Epoch&) const = default;
  Epoch next() const { return {value + 1}; }
};

// A position in the log that is replicated: for PostgreSQL the LSN as a number.
struct Position {
  uint64_t value = 0;
  auto operator<=>(const Position&) const = default;
};

// "0/5000148": the upper and lower 32 bits in hexadecimal, as PostgreSQL prints an LSN.
std::string to_string(Position position);
std::optional<Position> parse_position(std::string_view text);

enum class Role { kNone, kPrimary, kReplica };
std::string_view to_string(Role role);  // "None", "Primary", "Replica"

// What an endpoint is doing, as people read it in status.endpoints[].state.
enum class MemberState {
  kUnknown,       // not measured
  kEmpty,         // no data yet and nothing to clone from
  kInitializing,  // initdb
  kStarting,
  kRunning,  // a primary that accepts writes
  kPromoting,
  kCloning,
  kCatchingUp,
  kStreaming,
  kDisconnected,  // a replica whose upstream does not send
  kRewinding,
  kDiverged,  // halted: its history left the primary's; needs rewind or clone
  kStopping,
  kStopped,
  kFailed,  // tried and failed; `message` says what and what next
};
std::string_view to_string(MemberState state);  // "Unknown", "Empty", "CatchingUp" …
std::optional<MemberState> parse_member_state(std::string_view text);

// Why a primary changed or has to. Also the reasons people read in conditions, Events and history.
enum class Cause {
  kInitial,             // the first primary of a link
  kProcessDied,         // the database process ended by itself; its agent proved it dead
  kShutdown,            // the pod was asked to stop; data was handed over
  kPrimaryUnreachable,  // neither its lease nor its agent shows life
  kPrimaryFailing,      // the agent lives, the database answers no SQL
  kLeaseExpired,        // the holder stopped renewing (and fenced itself)
  kSwitchover,          // asked for by a person through desiredPrimary
  kRestart,             // the same endpoint takes its own right again
  kRestore,             // the same endpoint goes on with data that a person had restored beside those it has
};
std::string_view to_string(Cause cause);  // "ProcessDied" …
// The old primary is well, and lets go by itself once everybody has all of its log.
inline bool is_planned(Cause cause) { return cause == Cause::kSwitchover || cause == Cause::kRestore; }
std::optional<Cause> parse_cause(std::string_view text);

// How a change of primary ended, as people read it in history.
enum class Ending { kCompleted, kCancelled };
std::string_view to_string(Ending ending);  // "Completed", "Cancelled"
std::optional<Ending> parse_ending(std::string_view text);

}  // namespace twinspan
