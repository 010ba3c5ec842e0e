#include "controllers/s3/s3_status.hpp"

#include <fmt/format.h>

#include "controllers/cluster/names.hpp"
#include "controllers/link/link_status.hpp"
#include "controllers/s3/s3_conditions.hpp"
#include "controllers/s3/s3_division.hpp"
#include "controllers/s3/s3_said.hpp"

namespace twinspan::controllers {
namespace {

const api::EndpointStatus* row_of(const std::vector<api::EndpointStatus>& rows, const std::string& name) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

class Rows {
 public:
  Rows(const S3Seen& seen, const S3Said& said) : seen_(seen), said_(said), only_(only_worker(seen)) {}

  std::vector<api::EndpointStatus> all() const {
    std::vector<api::EndpointStatus> rows;
    const api::LinkSpec& spec = seen_.link().spec;
    if (!seen_.link().actionable) return seen_.link().status.endpoints;
    const std::string& primary = s3_primary(seen_.link());
    const bool two_way = spec.topology == api::Topology::kActiveActive;
    const auto role = [&](const std::string& name) {
      return two_way || name == primary ? Role::kPrimary : Role::kReplica;
    };
    rows.push_back(row(spec.source.name, role(spec.source.name)));
    for (const api::Endpoint& target : spec.targets) rows.push_back(row(target.name, role(target.name)));
    return rows;
  }

 private:
  static const EndpointSeen* only_worker(const S3Seen& seen) {
    return seen.workers().size() == 1 ? &seen.workers().front() : nullptr;
  }

  // This operator has only just begun to ask: what an earlier one wrote still stands.
  bool stands(const api::EndpointStatus& before) const {
    if (said_.heard || !said_pending(seen_)) return false;
    return !only_ || (only_->pod && before.address == only_->pod->ip);
  }

  api::EndpointStatus row(const std::string& name, Role role) const {
    const api::EndpointStatus* before = row_of(seen_.link().status.endpoints, name);
    if (before && stands(*before)) return *before;
    api::EndpointStatus out;
    if (const api::EndpointStatus* said = row_of(said_.endpoints, name)) {
      out = *said;
      if (!said_.instance.empty()) out.instance = said_.instance;
    } else {
      out.name = name;
      out.state = to_string(MemberState::kUnknown);
      out.message = said_.copying ? fmt::format("pod {} does not know of it yet", seen_.pod_of(0)) : said_.why_not;
    }
    out.role = to_string(role);
    if (only_ && only_->pod) {
      out.pod = seen_.pod_of(0);
      if (!only_->pod->ip.empty()) out.address = only_->pod->ip;
    }
    return out;
  }

  const S3Seen& seen_;
  const S3Said& said_;
  const EndpointSeen* const only_;
};

void fill_summary(const api::LinkSpec& spec, api::LinkStatus& status) {
  size_t following = 0;
  std::optional<double> worst = 0.0;
  for (const api::EndpointStatus& row : status.endpoints) {
    if (!is_follower(spec, row)) continue;
    following += follows(row);
    worst = row.lag_seconds && worst ? std::optional(std::max(*worst, *row.lag_seconds)) : std::nullopt;
  }
  status.replicas = fmt::format("{}/{}", following, spec.targets.size());
  if (worst) status.lag = lag_text(*worst);
}

}  // namespace

api::LinkStatus next_s3_status(const S3Seen& seen, const LinkPlan& plan) {
  const CachedLink& link = seen.link();
  api::LinkStatus status;
  status.observed_generation = link.metadata.generation;
  status.accepted = next_accepted(link);
  if (link.status.assignment) status.epoch = link.status.assignment->epoch;
  status.division = next_division(seen);
  const S3Said said = said_by_workers(seen);
  status.primary = link.status.assignment || !said.undecided ? s3_primary(link) : "";
  status.workers = said_pending(seen) && !said.heard ? link.status.workers : said.workers;
  status.endpoints = Rows(seen, said).all();
  status.sync = link.status.sync;
  status.verification = link.status.verification;
  if (said.sync) status.sync = said.sync;
  if (said.verification) status.verification = said.verification;
  if (link.actionable) fill_summary(link.spec, status);
  status.conditions = s3_conditions(seen, said, plan, status);
  return status;
}

}  // namespace twinspan::controllers
