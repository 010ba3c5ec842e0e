#include <algorithm>
#include <array>

#include "api/validate.hpp"
#include "api/validate_repository.hpp"
#include "core/clock.hpp"

namespace twinspan::api {
namespace {

constexpr int64_t kTimelineMost = 0xFFFFFFFF;

template <size_t N>
bool exactly_one(const std::array<bool, N>& given) {
  return std::ranges::count(given, true) == 1;
}

}  // namespace

std::vector<FieldError> validate(const Restore& restore) {
  std::vector<FieldError> errors;
  const RestoreSource& from = restore.spec.from;
  const RestoreTarget& target = restore.spec.target;
  if (!exactly_one(std::array{from.schedule_ref.has_value(), from.backup_ref.has_value(), from.repository.has_value()}))
    errors.push_back({"spec.from", "exactly one of scheduleRef, backupRef and repository is expected"});
  if (from.repository) check_repository(from.repository->s3, "spec.from.repository.s3", errors);
  const RestoreTo& to = restore.spec.to;
  if (!exactly_one(std::array{to.new_link.has_value(), to.in_place.has_value()}))
    errors.push_back({"spec.to", "exactly one of newLink and inPlace is expected"});
  if (to.in_place && to.in_place->confirm != to.in_place->link_ref.name)
    errors.push_back({"spec.to.inPlace.confirm", "\"" + to.in_place->confirm + "\" is not the link's name " +
                                                     to.in_place->link_ref.name +
                                                     ", which is expected: what was written after the target is no "
                                                     "longer there"});
  if (to.in_place && from.repository)
    errors.push_back({"spec.from.repository",
                      "may be of any link, and only a link's own data can take the place of those it has: restore into "
                      "a new link (spec.to.newLink), or name a scheduleRef or backupRef of the link"});
  if (!exactly_one(std::array{target.time.has_value(), target.lsn.has_value(), target.transaction.has_value(),
                              target.restore_point.has_value(), target.immediate.value_or(false),
                              target.latest.value_or(false)}))
    errors.push_back(
        {"spec.target", "exactly one of time, lsn, transaction, restorePoint, immediate and latest is expected"});
  if (target.immediate == false) errors.push_back({"spec.target.immediate", "true is expected, or another target"});
  if (target.latest == false) errors.push_back({"spec.target.latest", "true is expected, or another target"});
  if (target.time && !parse_rfc3339(*target.time))
    errors.push_back({"spec.target.time", "\"" + *target.time +
                                              "\" is no moment, expected one with its zone such as "
                                              "2026-11-25T14:30:00+01:00 or 2026-11-25T13:30:00Z"});
  if (target.exclusive && !target.time && !target.lsn && !target.transaction)
    errors.push_back({"spec.target.exclusive", "means something with time, lsn and transaction only"});
  if (target.timeline && *target.timeline > kTimelineMost)
    errors.push_back({"spec.target.timeline", "must be at most 4294967295"});
  return errors;
}

}  // namespace twinspan::api
