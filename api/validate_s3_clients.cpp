#include "api/endpoints.hpp"
#include "api/validate_s3.hpp"
#include "contract/names.hpp"

namespace twinspan::api {
namespace {

using Errors = std::vector<FieldError>;

// A Service of an S3 link says for every endpoint where it is; nothing else does.
template <class Value>
void check_places(const std::map<std::string, Value>& places, const std::string& field, const ReplicationLink& link,
                  Errors& errors) {
  for (const auto& [name, place] : places)
    if (!find_endpoint(link.spec, name))
      errors.push_back(
          {field, "\"" + name + "\" is no endpoint of link " + link.metadata.name + " (" + endpoint_list(link) + ")"});
  const auto check = [&](const std::string& name) {
    if (!places.contains(name)) errors.push_back({field, "says nothing of endpoint " + name});
  };
  check(link.spec.source.name);
  for (const Endpoint& target : link.spec.targets) check(target.name);
  for (auto one = places.begin(); one != places.end(); ++one)
    for (auto other = places.begin(); other != one; ++other)
      if (one->second == other->second)
        errors.push_back({field, "says the same of " + other->first + " and " + one->first +
                                     ": a Service that points at both can't be flipped"});
}

}  // namespace

void check_s3_clients(const FailoverPolicy& policy, const ReplicationLink& link, Errors& errors) {
  if (link.spec.topology != Topology::kActivePassive)
    errors.push_back({"spec.linkRef.name", "link " + link.metadata.name + " is of topology " +
                                               std::string(to_string(link.spec.topology)) +
                                               ": a primary that could move is only in ActivePassive"});
  const S3Settings& s3 = link.spec.s3;
  if (s3.compression != Compression::kNone || s3.client_encryption || s3.restore)
    errors.push_back({"spec.linkRef.name",
                      "link " + link.metadata.name + " has spec.s3." +
                          (s3.restore                             ? "restore"
                           : s3.compression != Compression::kNone ? "compression"
                                                                  : "clientEncryption") +
                          ": its copies are of another form than their originals, and clients could not use them as "
                          "they use the source"});
  if (s3.versions == ObjectVersions::kAll)
    errors.push_back({"spec.linkRef.name", "link " + link.metadata.name +
                                               " has spec.s3.versions All: what both sides have written can be "
                                               "reconciled by this version only where Latest is kept"});
  for (size_t i = 0; i < policy.spec.services.size(); ++i) {
    const PolicyService& service = policy.spec.services[i];
    const std::string field = "spec.services[" + std::to_string(i) + "]";
    if (service.selects != Selects::kPrimary)
      errors.push_back({field + ".selects", "must be Primary: Services of S3 links point at the primary"});
    if (service.external_names.empty() && service.selectors.empty())
      errors.push_back({field + ".externalNames", "or selectors must say where each endpoint of an S3 link is"});
    if (!service.external_names.empty()) check_places(service.external_names, field + ".externalNames", link, errors);
    if (!service.selectors.empty()) check_places(service.selectors, field + ".selectors", link, errors);
  }
}

std::vector<PodName> s3_pod_names(const ReplicationLink& link) {
  return {{"metadata.name", s3_lease_name(link.metadata.name, 0), "the S3 workers"}};
}

}  // namespace twinspan::api
