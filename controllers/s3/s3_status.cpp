#include "controllers/s3/s3_status.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/link/link_status.hpp"
#include "controllers/s3/s3_conditions.hpp"

namespace twinspan::controllers {
namespace {

const api::EndpointStatus* row_of(const std::vector<api::EndpointStatus>& rows, const std::string& name) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

std::vector<api::EndpointStatus> reported_rows(const MemberReport& report) {
  std::vector<api::EndpointStatus> rows;
  for (const Json& one : member_of(report.details, "endpoints"))
    if (auto row = api::parse_endpoint_status(one)) rows.push_back(std::move(*row));
  return rows;
}

class Rows {
 public:
  explicit Rows(const S3Seen& seen) : seen_(seen), worker_(seen.worker()), report_(worker_.member.fresh()) {
    if (report_) reported_ = reported_rows(*report_);
  }

  std::vector<api::EndpointStatus> all() const {
    std::vector<api::EndpointStatus> rows;
    const api::LinkSpec& spec = seen_.link().spec;
    if (seen_.link().invalid) return seen_.link().status.endpoints;
    rows.push_back(row(spec.source.name, Role::kPrimary));
    for (const api::Endpoint& target : spec.targets) rows.push_back(row(target.name, Role::kReplica));
    return rows;
  }

 private:
  api::EndpointStatus row(const std::string& name, Role role) const {
    const api::EndpointStatus* before = row_of(seen_.link().status.endpoints, name);
    if (!report_ && before && worker_.member.pending() && worker_.pod && before->address == worker_.pod->ip)
      return *before;  // this operator has only just begun to ask
    api::EndpointStatus out;
    const api::EndpointStatus* said = report_ ? row_of(reported_, name) : nullptr;
    const std::string pod = pod_name(seen_.link().metadata.name, kS3Member);
    if (said) {
      out = *said;
      if (!report_->instance.empty()) out.instance = report_->instance;
    } else {
      out.name = name;
      out.state = to_string(MemberState::kUnknown);
      out.message = report_ ? fmt::format("pod {} does not know of it yet", pod) : why_unheard(worker_, pod);
    }
    out.role = to_string(role);
    if (worker_.pod) {
      out.pod = pod;
      if (!worker_.pod->ip.empty()) out.address = worker_.pod->ip;
    }
    return out;
  }

  const S3Seen& seen_;
  const EndpointSeen& worker_;
  const MemberReport* report_;
  std::vector<api::EndpointStatus> reported_;
};

void fill_summary(const api::LinkSpec& spec, api::LinkStatus& status) {
  size_t following = 0;
  std::optional<double> worst = 0.0;
  for (const api::EndpointStatus& row : status.endpoints) {
    if (row.role != to_string(Role::kReplica)) continue;
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
  status.primary = link.spec.source.name;
  status.endpoints = Rows(seen).all();
  status.sync = link.status.sync;
  status.verification = link.status.verification;
  if (const MemberReport* report = seen.worker().member.fresh()) {
    if (auto sync = api::parse_sync_status(member_of(report->details, "sync"))) status.sync = std::move(*sync);
    if (auto verified = api::parse_verification_status(member_of(report->details, "verification")))
      status.verification = std::move(*verified);
  }
  if (!link.invalid) fill_summary(link.spec, status);
  status.conditions = s3_conditions(seen, plan, status);
  return status;
}

}  // namespace twinspan::controllers
