#include "api/validate_s3.hpp"

#include "api/pod_resources.hpp"
#include "api/validate_kafka.hpp"
#include "api/validate_placement.hpp"
#include "core/cron.hpp"
#include "core/text.hpp"

namespace twinspan::api {
namespace {

using Errors = std::vector<FieldError>;

struct Place {  // a bucket, or a part of one, and its field
  const S3Endpoint* s3;
  std::string field;
};

// One of them holds the other.
bool overlap(const S3Endpoint& a, const S3Endpoint& b) {
  return to_lower(a.endpoint) == to_lower(b.endpoint) && a.bucket == b.bucket &&
         (a.prefix.starts_with(b.prefix) || b.prefix.starts_with(a.prefix));
}

std::vector<Place> check_endpoints(const ReplicationLink& link, Errors& errors) {
  std::vector<Place> places;
  const auto check = [&](const Endpoint& endpoint, const std::string& field) {
    if (endpoint.postgres)
      errors.push_back({field + ".postgres", "means nothing unless spec.engine is Postgres, leave it out"});
    if (!endpoint.s3) {
      errors.push_back({field + ".s3", "is required where spec.engine is S3"});
      return;
    }
    if (endpoint.from && *endpoint.from != link.spec.source.name)
      errors.push_back({field + ".from", "is \"" + *endpoint.from +
                                             "\": targets of S3 links follow the source, cascading is not supported by "
                                             "this version"});
    places.push_back({&*endpoint.s3, field + ".s3"});
  };
  check(link.spec.source, "spec.source");
  for (size_t i = 0; i < link.spec.targets.size(); ++i)
    check(link.spec.targets[i], "spec.targets[" + std::to_string(i) + "]");
  return places;
}

// A copy that lies within what is copied would be copied again, for ever; two copies in one place overwrite each other.
void check_overlaps(const std::vector<Place>& places, Errors& errors) {
  for (size_t i = 1; i < places.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (overlap(*places[i].s3, *places[j].s3)) {
        errors.push_back({places[i].field + ".prefix",
                          "is \"" + places[i].s3->prefix + "\" in the same bucket as " + places[j].field +
                              ".prefix \"" + places[j].s3->prefix +
                              "\", and one holds the other: choose another bucket, or prefixes apart from each other"});
        break;
      }
}

// Writes on both sides.
void check_both_ways(const LinkSpec& spec, Errors& errors) {
  if (spec.topology != Topology::kActiveActive) return;
  if (spec.targets.size() != 1)
    errors.push_back({"spec.targets", "has " + std::to_string(spec.targets.size()) +
                                          " entries: must be exactly one where spec.topology is ActiveActive"});
  if (spec.s3.deletes.mode != DeletesMode::kIgnore)
    errors.push_back({"spec.s3.deletes.mode",
                      "is Replicate: must be Ignore where spec.topology is ActiveActive, because a key that is missing "
                      "on one side may be new on the other"});
}

void check_settings(const S3Settings& settings, Errors& errors) {
  const auto number = [](int64_t value) { return std::to_string(value); };
  const ObjectsAtOnce& at_once = settings.objects_at_once;
  const std::string field = "spec.s3.objectsAtOnce.";
  if (at_once.initial < at_once.min)
    errors.push_back({field + "initial", "is " + number(at_once.initial) + ", must not be less than min, which is " +
                                             number(at_once.min)});
  if (at_once.max < at_once.initial)
    errors.push_back({field + "max", "is " + number(at_once.max) + ", must not be less than initial, which is " +
                                         number(at_once.initial)});
  if (at_once.shrink_below >= at_once.grow_above)
    errors.push_back({field + "shrinkBelow", "is " + number(at_once.shrink_below) +
                                                 ", must be less than growAbove, which is " +
                                                 number(at_once.grow_above)});
  if (settings.restore && settings.compression != Compression::kNone)
    errors.push_back(
        {"spec.s3.compression", "is " + std::string(to_string(settings.compression)) +
                                    ": must be None where spec.s3.restore is true, because targets get the "
                                    "originals then"});
  if (settings.verification.schedule)
    if (const auto cron = parse_cron(*settings.verification.schedule); !cron)
      errors.push_back({"spec.s3.verification.schedule", cron.error().message});
  check_resources(
      settings.resources, [](const auto&, const auto&) { return "spec.s3.resources"; }, errors);
  check_placement(
      {settings.node_selector, settings.affinity, settings.tolerations, settings.topology_spread_constraints},
      [](const auto&) { return "spec.s3"; }, errors);
}

// Where each side is written to as it is, neither may hold the other's objects in another form.
void check_form(const LinkSpec& spec, Errors& errors) {
  if (spec.topology == Topology::kActivePassive) return;
  const std::string only = ": only where spec.topology is ActivePassive";
  if (spec.s3.compression != Compression::kNone)
    errors.push_back({"spec.s3.compression", "is " + std::string(to_string(spec.s3.compression)) + only});
  if (spec.s3.client_encryption) errors.push_back({"spec.s3.clientEncryption", "is there" + only});
  if (spec.s3.restore) errors.push_back({"spec.s3.restore", "is true" + only});
}

// A version is found again at the target by its size and ETag, and is appended on one side only.
void check_versions(const LinkSpec& spec, Errors& errors) {
  const S3Settings& s3 = spec.s3;
  if (s3.versions == ObjectVersions::kLatest) return;
  const auto refuse = [&](const std::string& reason) {
    errors.push_back({"spec.s3.versions", "is All: must be Latest where " + reason});
  };
  if (spec.topology != Topology::kActivePassive)
    refuse("spec.topology is ActiveActive, because the histories of both sides can't be made one");
  if (s3.compression != Compression::kNone)
    refuse("spec.s3.compression is " + std::string(to_string(s3.compression)) +
           ", because versions are told apart by their sizes and ETags");
  if (s3.client_encryption)
    refuse("spec.s3.clientEncryption is there, because versions are told apart by their sizes and ETags");
  if (s3.restore) refuse("spec.s3.restore is true, because versions are told apart by their sizes and ETags");
}

}  // namespace

void check_s3(const ReplicationLink& link, Errors& errors) {
  check_overlaps(check_endpoints(link, errors), errors);
  refuse_kafka(link, errors);
  if (link.spec.postgres != PostgresSettings{})
    errors.push_back({"spec.postgres", "means nothing unless spec.engine is Postgres, leave it out"});
  check_settings(link.spec.s3, errors);
  check_both_ways(link.spec, errors);
  check_form(link.spec, errors);
  check_versions(link.spec, errors);
}

}  // namespace twinspan::api
