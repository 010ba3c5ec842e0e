#include "worker/postgres/kube_link.hpp"

#include <nlohmann/json.hpp>

namespace twinspan::worker {
namespace {

// One object by name, as the worker's Role allows it.
kube::ReflectorOptions only(const kube::Key& key) {
  kube::ReflectorOptions options;
  options.ns = key.ns;
  options.field_selector = "metadata.name=" + key.name;
  options.backoff_initial = std::chrono::milliseconds(200);
  options.backoff_limit = std::chrono::seconds(5);  // one object of one pod: a failover waits for it
  return options;
}

}  // namespace

KubeLeaseStore::KubeLeaseStore(kube::Client& client, const Clock& clock, kube::Key key)
    : client_(client), clock_(clock), key_(std::move(key)) {}

Result<StoredLease> KubeLeaseStore::read(std::stop_token stop) {
  const auto object = client_.get(kube::kLeases, key_, std::move(stop));
  if (!object) return std::unexpected(object.error());
  return parse_lease(*object);
}

Result<StoredLease> KubeLeaseStore::write(const LeaseRecord& record, std::chrono::milliseconds duration,
                                          bool acquisition, std::stop_token stop) {
  const auto object =
      client_.merge_patch(kube::kLeases, key_, lease_patch(record, duration, clock_.wall_now(), acquisition),
                          kube::Subresource::kNone, std::move(stop));
  if (!object) return std::unexpected(object.error());
  return parse_lease(*object);
}

LinkWatch::LinkWatch(kube::Client& client, const Clock& clock, const kube::Key& link, const kube::Key& lease,
                     Handlers handlers)
    : clock_(clock),
      handlers_(std::move(handlers)),
      links_(client, kube::kReplicationLinks, only(link), api::parse_obeyed_link),
      leases_(client, kube::kLeases, only(lease), parse_lease) {
  links_.add_handler([this](const kube::Key&, const auto&, const auto& after) { handlers_.link(after); });
  leases_.add_handler([this](const kube::Key&, const auto&, const auto& after) {
    if (after) handlers_.lease(*after, clock_.boot_now());
  });
  leases_.on_history_went_back(handlers_.went_back);
}

void LinkWatch::start() {
  links_.start();
  leases_.start();
}

void LinkWatch::stop() {
  links_.stop();
  leases_.stop();
}

}  // namespace twinspan::worker
