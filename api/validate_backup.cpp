#include <tuple>

#include "api/engine_rules.hpp"
#include "api/quantity.hpp"
#include "api/validate.hpp"
#include "api/validate_repository.hpp"
#include "core/cron.hpp"
#include "core/text.hpp"
#include "core/zone.hpp"

namespace twinspan::api {
namespace {

using Errors = std::vector<FieldError>;

constexpr size_t kScheduleNameMax = 63;  // of a label's value
constexpr std::string_view kPlace = "spec.destination.s3";

// pgBackRest compares the host's name with the names in its certificate, and knows no addresses there.
bool is_address(std::string_view endpoint) {
  std::string_view host = endpoint.substr(std::string_view("https://").size());
  if (host.starts_with('[')) return true;
  host = host.substr(0, host.find(':'));
  return !host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

// Each builds on the one before: a chain of one a minute would take longer to restore than it saves.
constexpr std::chrono::minutes kIncrementsApart{5};

void check_times(const BackupScheduleSpec& spec, Errors& errors) {
  const auto check = [&](const std::string& kind, const std::optional<ScheduledRuns>& runs,
                         std::chrono::minutes apart) {
    if (!runs) return;
    const auto cron = parse_cron(runs->schedule);
    if (!cron)
      errors.push_back({"spec." + kind + ".schedule", cron.error().message});
    else if (const auto gap = shortest_gap(*cron); gap < apart)
      errors.push_back({"spec." + kind + ".schedule", "\"" + runs->schedule + "\" names times " +
                                                          std::to_string(gap.count()) + " min apart, expected " +
                                                          std::to_string(apart.count()) + " min or more"});
  };
  check("full", spec.full, {});
  check("differential", spec.differential, kIncrementsApart);
  check("incremental", spec.incremental, kIncrementsApart);
  if ((spec.differential || spec.incremental) && !spec.full)
    errors.push_back({"spec.full", "differential and incremental backups build on full ones, expected full.schedule"});
}
std::string without_slashes(std::string prefix) {
  while (prefix.ends_with('/')) prefix.pop_back();
  return prefix;
}

// Whether one of the two repositories lies in the other.
bool overlap(const S3Destination& a, const S3Destination& b) {
  if (place_of(a) != place_of(b)) return false;
  const auto within = [](const std::string& inner, const std::string& outer) {
    return outer.empty() || inner == outer || inner.starts_with(outer + "/");
  };
  const std::string one = without_slashes(a.prefix), two = without_slashes(b.prefix);
  return within(one, two) || within(two, one);
}

// Of two that can't both be, the older one is in force.
void check_other(const BackupSchedule& schedule, const BackupSchedule& other, Errors& errors) {
  const auto age = [](const BackupSchedule& one) {
    return std::tie(one.metadata.creation_timestamp, one.metadata.ns, one.metadata.name);
  };
  if (other.metadata.deleting() || age(other) >= age(schedule)) return;
  const bool same_namespace = other.metadata.ns == schedule.metadata.ns;
  const std::string name = same_namespace ? other.metadata.name : other.metadata.ns + "/" + other.metadata.name;
  if (same_namespace && other.spec.link_ref.name == schedule.spec.link_ref.name)
    errors.push_back({"spec.linkRef.name", "BackupSchedule " + name + " already stores the log of link " +
                                               schedule.spec.link_ref.name + ": delete one of the two"});
  else if (overlap(other.spec.destination.s3, schedule.spec.destination.s3))
    errors.push_back({std::string(kPlace) + ".prefix",
                      "lies in the repository of BackupSchedule " + name + ", or around it: take another one"});
}

void check_cron(const char* field, const std::optional<std::string>& text, Errors& errors) {
  if (!text) return;
  if (const auto cron = parse_cron(*text); !cron) errors.push_back({field, cron.error().message});
}

bool is_blank(const std::string& query) { return query.find_first_not_of(" \t\r\n;") == std::string::npos; }

void check_verification(const BackupVerification& verification, Errors& errors) {
  check_cron("spec.verification.schedule", verification.schedule, errors);
  check_cron("spec.verification.readBack", verification.read_back, errors);
  const auto& test = verification.restore_test;
  if (!test) return;
  const std::string at = "spec.verification.restoreTest";
  if (!verification.schedule)
    errors.push_back({"spec.verification.schedule", "is required where restoreTest says what to do"});
  for (size_t i = 0; i < test->queries.size(); ++i)
    if (is_blank(test->queries[i]))
      errors.push_back({at + ".queries[" + std::to_string(i) + "]", "is blank, a SELECT is expected"});
  for (size_t i = 0; i < test->checks.size(); ++i)
    if (is_blank(test->checks[i].query))
      errors.push_back(
          {at + ".checks[" + std::to_string(i) + "].query", "is blank, a SELECT of one number is expected"});
  if (test->storage && test->storage->size)
    if (const auto bytes = parse_quantity(*test->storage->size); !bytes || *bytes <= 0)
      errors.push_back({at + ".storage.size", "\"" + *test->storage->size + "\" is no size, such as 100Gi"});
}

}  // namespace

void check_repository(const S3Destination& s3, const std::string& place, std::vector<FieldError>& errors) {
  if (!s3.endpoint.starts_with("https://"))
    errors.push_back({place + ".endpoint", "pgBackRest speaks TLS only, expected https://…"});
  else if (is_address(s3.endpoint))
    errors.push_back({place + ".endpoint", "needs a host name, which is compared with its certificate"});
  if (s3.prefix.starts_with('/') || s3.prefix.find("..") != std::string::npos)
    errors.push_back({place + ".prefix", "must not begin with / nor contain .."});
}

std::string place_of(const S3Destination& s3) {
  std::string endpoint = to_lower(s3.endpoint);
  while (endpoint.ends_with('/')) endpoint.pop_back();
  if (endpoint.ends_with(":443")) endpoint.resize(endpoint.size() - 4);
  return endpoint + "/" + s3.bucket;
}

std::string repository_of(const S3Destination& s3) { return place_of(s3) + "/" + without_slashes(s3.prefix); }

std::vector<FieldError> validate(const BackupSchedule& schedule) {
  Errors errors;
  if (schedule.metadata.name.size() > kScheduleNameMax)
    errors.push_back(
        {"metadata.name", "\"" + schedule.metadata.name +
                              "\" must be at most 63 characters long, because Backups are labelled with it"});
  check_repository(schedule.spec.destination.s3, std::string(kPlace), errors);
  check_times(schedule.spec, errors);
  if (const auto& verification = schedule.spec.verification) check_verification(*verification, errors);
  if (const auto zone = load_zone(schedule.spec.time_zone); !zone)
    errors.push_back({"spec.timeZone", zone.error().message});
  return errors;
}

std::vector<FieldError> validate(const BackupSchedule& schedule, const ReplicationLink* link,
                                 const std::vector<BackupSchedule>& others) {
  Errors errors = validate(schedule);
  const std::string& name = schedule.spec.link_ref.name;
  if (!link) {
    errors.push_back(
        {"spec.linkRef.name", "there is no ReplicationLink \"" + name + "\" in namespace " + schedule.metadata.ns});
  } else if (const EngineRules* rules = engine_rules(link->spec.engine); rules && !rules->has_backups) {
    errors.push_back({"spec.linkRef.name", "link " + name + " is of engine " +
                                               std::string(to_string(link->spec.engine)) +
                                               ", of which this version makes no backups"});
  }
  for (const BackupSchedule& other : others) check_other(schedule, other, errors);
  return errors;
}

}  // namespace twinspan::api
