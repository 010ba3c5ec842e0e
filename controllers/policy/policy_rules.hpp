// What people wrote in a policy, in the words of decisions, where engines share them. Pure.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/types.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"
#include "failover/mode.hpp"
#include "failover/types.hpp"

namespace twinspan::controllers {

Mode mode_of(api::FailoverMode mode);
FailbackMode failback_of(api::FailbackMode mode);
std::vector<std::string> endpoint_names(const api::LinkSpec& spec);  // the source first

// kInvalid: what the status says was written by a version that knows more.
std::unexpected<Error> unreadable(std::string_view field, std::string_view value, std::string_view expected);

// What every family of failover has of a change under way: `Move` is Transition or FlowMove, `parse` reads its steps,
// `steps` and `cause_like` say what was expected. nullopt: none runs.
template <class Move, class Parse>
Result<std::optional<Move>> move_of(const api::PolicyStatus& status, Parse parse, std::string_view steps,
                                    std::string_view cause_like) {
  if (!status.current) return std::nullopt;
  const api::FailoverStep& from = *status.current;
  const auto step = parse(from.step);
  if (!step) return unreadable("status.current.step", from.step, steps);
  const auto cause = parse_cause(from.cause);
  if (!cause) return unreadable("status.current.cause", from.cause, cause_like);
  Move move;
  move.step = *step;
  move.epoch = Epoch{from.epoch};
  move.from = from.from;
  move.to = from.to.value_or("");
  move.cause = *cause;
  return move;
}

// Since a time of a status; `otherwise` where there is none, or it can't be read.
std::chrono::milliseconds since(WallTime now, const std::optional<std::string>& time,
                                std::chrono::milliseconds otherwise);

}  // namespace twinspan::controllers
