#include "controllers/cluster/links_beside.hpp"

#include <set>
#include <string>

#include "controllers/cluster/places.hpp"

namespace twinspan::controllers {

std::vector<std::shared_ptr<const CachedLink>> links_beside(const api::ReplicationLink& link, const Cluster& cluster) {
  std::set<std::string> names;
  for (const kube::Key& place : places_of(link))
    for (std::string& name : cluster.links_of_buckets.names(place)) names.insert(std::move(name));
  names.erase(link.metadata.ns + "/" + link.metadata.name);
  std::vector<std::shared_ptr<const CachedLink>> beside;
  for (const std::string& name : names) {
    const size_t slash = name.find('/');
    auto other = cluster.links.find({name.substr(0, slash), name.substr(slash + 1)});
    if (other && !other->invalid) beside.push_back(std::move(other));
  }
  return beside;
}

}  // namespace twinspan::controllers
