// What a member's agent sees that people should know, beside its state. `kind` is for programs, `text` for people: what
// is so, why, and what next.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace twinspan {

enum class TroubleKind {
  kReplicaWithoutLog,  // its upstream has removed the log it needs next, and a rule or lack of room forbids a clone
  kStorageLow,         // its volume is nearly full
  kDiskHangs,          // its volume doesn't answer
  kTablespaceOutsideVolume,  // data of it is lost with the pod
  kDatabaseRemade,           // the declared database was dropped and made anew, empty
};
std::string_view to_string(TroubleKind kind);
std::optional<TroubleKind> parse_trouble_kind(std::string_view text);

struct Trouble {
  TroubleKind kind{};
  std::string text;
  bool operator==(const Trouble&) const = default;
};

}  // namespace twinspan
