#include "controllers/postgres/pretended_links.hpp"

#include <chrono>
#include <thread>

#include "controllers/cluster/names.hpp"
#include "controllers/link/link_gatherer.hpp"
#include "controllers/link/link_status.hpp"
#include "controllers/postgres/postgres_gatherer.hpp"
#include "controllers/postgres/postgres_status.hpp"
#include "pki/authority.hpp"

namespace twinspan::controllers {
namespace {

std::shared_ptr<const Secret> common_authority(const Clock& clock) {
  const auto made = pki::make_authority("benchmark", clock.wall_now());
  if (!made) return nullptr;
  auto out = std::make_shared<Secret>();
  out->issuer_certificate_pem = made->issuer.certificate_pem;
  out->issuer_key_pem = made->issuer.key_pem;
  out->bundle_pem = made->bundle_pem();
  return out;
}

class PretendedProbe final : public StatusProbe {
 public:
  PretendedProbe(const Target& target, const Clock& clock) : target_(target), clock_(clock) {}
  Result<MemberReport> ask(std::stop_token) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.boot_now().time_since_epoch());
    MemberReport report;
    report.endpoint = target_.pod_name;
    report.received = Position{static_cast<uint64_t>(now.count()) << 10};
    report.lag_bytes = now.count() % 4096;
    report.lag_seconds = static_cast<double>(now.count() % 900) / 1000;
    return report;
  }

 private:
  const Target target_;
  const Clock& clock_;
};

}  // namespace

PretendedLinks::PretendedLinks(const Clock& clock, bool busy)
    : clock_(clock), authority_(busy ? common_authority(clock) : nullptr) {}

LinkLook PretendedLinks::look(const LinkFacts& facts, const Cluster&, const WorkerReports& reports) const {
  LinkLook look;
  look.seen = pretend_link(facts.link, clock_);
  look.seen.ca = authority_;
  for (EndpointSeen& endpoint : look.seen.endpoints) {
    if (!authority_) break;
    const std::string uid = facts.link->metadata.uid + endpoint.name;
    look.members.push_back({endpoint.name, LinkMember::Contact{"127.0.0.1", endpoint.name, uid}});
    const auto heard = reports.latest(key_of(facts.link->metadata), endpoint.name);
    if (!heard || !heard->report || !endpoint.member.report) continue;
    endpoint.member.report->received = heard->report->received;
    if (endpoint.member.report->role != Role::kReplica) continue;
    endpoint.member.report->lag_bytes = heard->report->lag_bytes;
    endpoint.member.report->lag_seconds = heard->report->lag_seconds;
  }
  look.status = next_status(look.seen, look.plan);
  return look;
}

std::unique_ptr<StatusProbe> pretended_probe(const Target& target, const Clock& clock) {
  return std::make_unique<PretendedProbe>(target, clock);
}

}  // namespace twinspan::controllers
