#include "contract/assignment.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace twinspan {

Result<std::optional<Assignment>> assignment_of(const api::LinkStatus& status) {
  if (!status.assignment) return std::nullopt;
  const api::AssignmentStatus& from = *status.assignment;
  const auto cause = parse_cause(from.cause);
  if (!cause)
    return fail(Code::kInvalid,
                fmt::format("status.assignment.cause: \"{}\": expected a cause that this version knows, such as "
                            "Initial or Switchover; bring this program to the version that wrote it",
                            from.cause));
  Assignment read{Epoch{from.epoch}, from.primary, from.previous, *cause};
  if (from.final_position) {
    read.final_position = parse_position(*from.final_position);
    if (!read.final_position)
      return fail(Code::kInvalid,
                  fmt::format("status.assignment.finalPosition: \"{}\": expected a position as 0/5000148",
                              *from.final_position));
  }
  read.instance = from.instance.value_or("");
  return read;
}

api::AssignmentStatus status_of(const Assignment& assignment) {
  api::AssignmentStatus status;
  status.epoch = assignment.epoch.value;
  status.primary = assignment.primary;
  status.previous = assignment.previous;
  status.cause = to_string(assignment.cause);
  if (assignment.final_position) status.final_position = to_string(*assignment.final_position);
  if (!assignment.instance.empty()) status.instance = assignment.instance;
  return status;
}

Json merge_patch_of(const api::AssignmentStatus& assignment) {
  Json patch = api::to_json(assignment);
  for (const char* key : {"finalPosition", "instance"})
    if (!patch.contains(key)) patch[key] = nullptr;
  return patch;
}

}  // namespace twinspan
