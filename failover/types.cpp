#include "failover/types.hpp"

#include <fmt/format.h>

#include <charconv>

#include "failover/names.hpp"

namespace twinspan {
namespace {

constexpr Names<MemberState, 15> kStates{{{MemberState::kUnknown, "Unknown"},
                                          {MemberState::kEmpty, "Empty"},
                                          {MemberState::kInitializing, "Initializing"},
                                          {MemberState::kStarting, "Starting"},
                                          {MemberState::kRunning, "Running"},
                                          {MemberState::kPromoting, "Promoting"},
                                          {MemberState::kCloning, "Cloning"},
                                          {MemberState::kCatchingUp, "CatchingUp"},
                                          {MemberState::kStreaming, "Streaming"},
                                          {MemberState::kDisconnected, "Disconnected"},
                                          {MemberState::kRewinding, "Rewinding"},
                                          {MemberState::kDiverged, "Diverged"},
                                          {MemberState::kStopping, "Stopping"},
                                          {MemberState::kStopped, "Stopped"},
                                          {MemberState::kFailed, "Failed"}}};

constexpr Names<Cause, 9> kCauses{{{Cause::kInitial, "Initial"},
                                   {Cause::kProcessDied, "ProcessDied"},
                                   {Cause::kShutdown, "Shutdown"},
                                   {Cause::kPrimaryUnreachable, "PrimaryUnreachable"},
                                   {Cause::kPrimaryFailing, "PrimaryFailing"},
                                   {Cause::kLeaseExpired, "LeaseExpired"},
                                   {Cause::kSwitchover, "Switchover"},
                                   {Cause::kRestart, "Restart"},
                                   {Cause::kRestore, "Restore"}}};

std::optional<uint32_t> parse_hex(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

constexpr Names<Ending, 2> kEndings{{{Ending::kCompleted, "Completed"}, {Ending::kCancelled, "Cancelled"}}};

}  // namespace

std::string to_string(Position position) {
  return fmt::format("{:X}/{:X}", static_cast<uint32_t>(position.value >> 32), static_cast<uint32_t>(position.value));
}

std::optional<Position> parse_position(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto high = parse_hex(text.substr(0, slash));
  const auto low = parse_hex(text.substr(slash + 1));
  if (!high || !low) return std::nullopt;
  return Position{(static_cast<uint64_t>(*high) << 32) | *low};
}

std::string_view to_string(Role role) {
  switch (role) {
    case Role::kNone: return "None";
    case Role::kPrimary: return "Primary";
    case Role::kReplica: return "Replica";
  }
  return "None";
}

std::string_view to_string(MemberState state) { return name_of(kStates, state); }
std::optional<MemberState> parse_member_state(std::string_view text) { return value_of(kStates, text); }
std::string_view to_string(Cause cause) { return name_of(kCauses, cause); }
std::optional<Cause> parse_cause(std::string_view text) { return value_of(kCauses, text); }
std::string_view to_string(Ending ending) { return name_of(kEndings, ending); }
std::optional<Ending> parse_ending(std::string_view text) { return value_of(kEndings, text); }

}  // namespace twinspan
