#include "webhooks/judge.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "api/declared_objects.hpp"
#include "api/endpoints.hpp"
#include "api/validate.hpp"
#include "contract/names.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/kafka/kafka_places.hpp"
#include "controllers/s3/s3_places.hpp"
#include "webhooks/unwise.hpp"

namespace twinspan::webhooks {
namespace {

using Errors = std::vector<api::FieldError>;

constexpr std::string_view kNewest = "9999-12-31T23:59:59Z";

// The parser's "FIELD: is VALUE, must be EXPECTED".
api::FieldError field_error(const Error& error) {
  const size_t colon = error.message.find(": ");
  if (colon == std::string::npos) return {"", error.message};
  return {error.message.substr(0, colon), error.message.substr(colon + 2)};
}

template <class T>
T as_newest(T object) {
  object.metadata.creation_timestamp = kNewest;
  return object;
}

// What is said of an object among others. Of two at odds the younger gives way; beyond that, nobody may come to be at
// odds with others by an edit, whatever their age.
template <class T, class Rules>
Errors judge_among(const std::optional<T>& before, const T& after, const Rules& rules) {
  if (!before) return rules(as_newest(after));
  Errors errors = rules(after);
  const Errors had = rules(as_newest(*before));
  for (api::FieldError& error : rules(as_newest(after)))
    if (std::find(had.begin(), had.end(), error) == had.end() &&
        std::find(errors.begin(), errors.end(), error) == errors.end())
      errors.push_back(std::move(error));
  return errors;
}

// With the spec in force: what was accepted last, where that can be read, as the reconciler compares.
void put_in_force(api::ReplicationLink& link) {
  if (!link.status.accepted) return;
  if (auto spec = api::parse_link_spec(link.status.accepted->spec)) link.spec = std::move(*spec);
}
void put_in_force(api::FailoverPolicy& policy) {
  if (!policy.status.accepted) return;
  if (auto spec = api::parse_policy_spec(policy.status.accepted->spec)) policy.spec = std::move(*spec);
}

template <class T>
Errors judge_change(const std::optional<T>& before, const T& after) {
  if (!before) return {};
  T in_force = *before;
  put_in_force(in_force);
  return api::validate_change(in_force, after);
}

Errors place_errors(const api::ReplicationLink& link, const std::vector<api::ReplicationLink>& sharing) {
  std::vector<const api::ReplicationLink*> others;
  for (const api::ReplicationLink& other : sharing) others.push_back(&other);
  auto taken = controllers::place_taken_by(link, others);
  if (!taken) taken = controllers::mirror_taken_by(link, others);
  if (!taken) return {};
  for (const api::EndpointPlace& place : api::endpoint_places(link))
    if (place.endpoint->name == taken->endpoint)
      return {{place.field + (place.endpoint->kafka ? ".kafka" : ".s3"), taken->message}};
  return {{"spec", taken->message}};
}

void append(Errors& to, Errors&& more) { to.insert(to.end(), more.begin(), more.end()); }

// Nothing that matters was changed: an object that is wrong already can be labelled, and lose its finalizers.
bool same_spec(const Review& review) {
  return review.operation == Operation::kUpdate && member_of(review.object, "spec") == member_of(review.old, "spec");
}
bool on_its_way_out(const Review& review) {
  return member_of(member_of(review.object, "metadata"), "deletionTimestamp").is_string();
}

// Who deletes what goes with something else: a refusal would only keep the namespace from ending. Where the controllers
// have no service accounts of their own (--use-service-account-credentials=false) they are one user.
bool sweeps(const std::string& user) {
  return user == "system:kube-controller-manager" || user == "system:serviceaccount:kube-system:namespace-controller" ||
         user == "system:serviceaccount:kube-system:generic-garbage-collector";
}

Verdict judge_deletion_of_link(const Review& review, const BesideLink& beside) {
  Verdict verdict;
  const std::string name(controllers::kProtectedAnnotation);
  const std::string said = text_of(member_of(member_of(review.old, "metadata"), "annotations"), name);
  if (said == "true" && !sweeps(review.user)) {
    verdict.forbidden = true;
    verdict.errors.push_back({"metadata.annotations[" + name + "]",
                              "is \"true\": this link is not deleted while it is. Remove the annotation first"});
    return verdict;
  }
  if (text_of(member_of(review.old, "spec"), "deletionPolicy") == "Delete")
    verdict.warnings.push_back("spec.deletionPolicy is Delete: this link's data are deleted with it");
  for (const api::FailoverPolicy& policy : beside.policies)
    verdict.warnings.push_back(
        fmt::format("FailoverPolicy {} names this link, and flips nothing without it", policy.metadata.name));
  return verdict;
}

// What is right for the newest spec of a link by itself, and no longer for a policy that was there before.
void warn_of_policies(const api::ReplicationLink& link, const std::vector<api::FailoverPolicy>& policies,
                      std::vector<std::string>& warnings) {
  for (const api::FailoverPolicy& policy : policies) {
    if (const Errors errors = api::validate_beside(policy, &link, {}); !errors.empty())
      warnings.push_back(
          fmt::format("FailoverPolicy {} does not fit: {}", policy.metadata.name, api::to_string(errors)));
  }
}

}  // namespace

Verdict judge_link(const Review& review, const BesideLink& beside) {
  if (review.operation == Operation::kDelete) return judge_deletion_of_link(review, beside);
  if (same_spec(review) || on_its_way_out(review)) return {};
  Verdict verdict;
  const auto link = api::parse_replication_link(review.object);
  if (!link) {
    verdict.errors.push_back(field_error(link.error()));
    return verdict;
  }
  std::optional<api::ReplicationLink> before;
  if (review.operation == Operation::kUpdate)
    if (auto parsed = api::parse_replication_link(review.old)) before = std::move(*parsed);
  verdict.errors = judge_change(before, *link);
  append(verdict.errors, judge_among(before, *link, [&](const auto& one) { return api::validate(one, beside.near); }));
  if (verdict.errors.empty())
    verdict.errors = judge_among(before, *link, [&](const auto& one) { return place_errors(one, beside.sharing); });
  if (!verdict.errors.empty()) return verdict;
  verdict.warnings = unwise(*link);
  if (before) api::warn_of_undeclared(before->spec.postgres, link->spec.postgres, verdict.warnings);
  warn_of_policies(*link, beside.policies, verdict.warnings);
  return verdict;
}

Verdict judge_policy(const Review& review, const BesidePolicy& beside) {
  if (review.operation == Operation::kDelete || same_spec(review) || on_its_way_out(review)) return {};
  Verdict verdict;
  const auto policy = api::parse_failover_policy(review.object);
  if (!policy) {
    verdict.errors.push_back(field_error(policy.error()));
    return verdict;
  }
  std::optional<api::FailoverPolicy> before;
  if (review.operation == Operation::kUpdate)
    if (auto parsed = api::parse_failover_policy(review.old)) before = std::move(*parsed);
  const api::ReplicationLink* link = beside.link ? &*beside.link : nullptr;
  verdict.errors = judge_change(before, *policy);
  append(verdict.errors, judge_among(before, *policy, [&](const auto& one) {
           Errors errors = api::validate(one, link, beside.rivals);
           // GitOps applies in any order: the link may come yet.
           if (!link) std::erase(errors, api::missing_link(one));
           return errors;
         }));
  if (!verdict.errors.empty()) return verdict;
  if (!link) {
    const api::FieldError missing = api::missing_link(*policy);
    verdict.warnings.push_back(missing.field + ": " + missing.message + ": nothing happens until there is one");
  }
  for (std::string& warning : unwise(*policy, link)) verdict.warnings.push_back(std::move(warning));
  return verdict;
}

Verdict judge_schedule(const Review& review) {
  if (review.operation == Operation::kDelete || same_spec(review) || on_its_way_out(review)) return {};
  Verdict verdict;
  const auto schedule = api::parse_backup_schedule(review.object);
  if (schedule)
    verdict.errors = api::validate(*schedule);
  else
    verdict.errors.push_back(field_error(schedule.error()));
  return verdict;
}

Json defaults_of(const Review& review) {
  Json patch = Json::array();
  if (review.kind != "ReplicationLink" || review.operation == Operation::kDelete) return patch;
  if (same_spec(review) || on_its_way_out(review)) return patch;
  const auto link = api::parse_replication_link(review.object);
  if (!link) return patch;
  const Json& spec = member_of(review.object, "spec");
  const Json& threshold = member_of(spec, "lagThreshold");
  const Json seconds = api::lag_threshold_seconds(link->spec);
  if (!threshold.is_object())
    patch.push_back({{"op", "add"}, {"path", "/spec/lagThreshold"}, {"value", {{"seconds", seconds}}}});
  else if (!link->spec.lag_threshold.seconds)
    patch.push_back({{"op", "add"}, {"path", "/spec/lagThreshold/seconds"}, {"value", seconds}});
  return patch;
}

}  // namespace twinspan::webhooks
