// What a schema cannot say, and what CEL says already for those who have it switched off: reconcilers ask before they
// act. Every answer names the field. Pure.
#pragma once
#include <string>
#include <vector>

#include "api/types.hpp"

namespace twinspan::api {

struct FieldError {
  std::string field;    // "spec.targets[1].from"
  std::string message;  // what is wrong and what to do about it
  bool operator==(const FieldError&) const = default;
};

// "spec.a: …; spec.b: …": for conditions, Events and Error messages.
std::string to_string(const std::vector<FieldError>& errors);

std::vector<FieldError> validate(const ReplicationLink& link);
// Also against the other links of its namespace: no two may want pods of the same name. The younger one is at fault.
std::vector<FieldError> validate(const ReplicationLink& link, const std::vector<ReplicationLink>& others);
// What may not change between two versions of one link.
std::vector<FieldError> validate_change(const ReplicationLink& before, const ReplicationLink& after);

std::vector<FieldError> validate(const FailoverPolicy& policy);
// Also against its link (nullptr: there is none) and the other policies of its namespace: no two may name one link or
// one Service. The younger one is at fault, so that adding a second never disturbs the first. Those being deleted don't
// count.
std::vector<FieldError> validate(const FailoverPolicy& policy, const ReplicationLink* link,
                                 const std::vector<FailoverPolicy>& others);
// Of the latter only what concerns the link and the other policies.
std::vector<FieldError> validate_beside(const FailoverPolicy& policy, const ReplicationLink* link,
                                        const std::vector<FailoverPolicy>& others);
// What the former says where there is no link: wrong for whoever would act by it, and no more than early for whoever
// applies it.
FieldError missing_link(const FailoverPolicy& policy);
std::vector<FieldError> validate_change(const FailoverPolicy& before, const FailoverPolicy& after);

std::vector<FieldError> validate(const BackupSchedule& schedule);
// Also against its link (nullptr: there is none) and other schedules, those of the link and those of the bucket: a
// link's log goes to one place, and two repositories don't lie in one another. The older schedule is in force.
std::vector<FieldError> validate(const BackupSchedule& schedule, const ReplicationLink* link,
                                 const std::vector<BackupSchedule>& others);
std::vector<FieldError> validate(const Restore& restore);
// Which repository it is, whatever way it is written: place_of and the prefix.
std::string repository_of(const S3Destination& s3);
std::string place_of(const S3Destination& s3);  // tells one bucket from another

// spec.lagThreshold.seconds, or what absence means for the link's engine.
int64_t lag_threshold_seconds(const LinkSpec& spec);

}  // namespace twinspan::api
