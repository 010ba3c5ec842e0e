#include "sandbox/api/collector.hpp"

#include <nlohmann/json.hpp>

namespace twinspan::sandbox {
namespace {

std::vector<std::pair<kube::Key, Object>> items_of(const Store& store, const ResourceName& resource,
                                                   const std::string& ns) {
  auto listed = store.list(resource, ns);
  return listed ? std::move(listed->items) : std::vector<std::pair<kube::Key, Object>>{};
}

bool being_deleted(const Json& object) { return object["metadata"].contains("deletionTimestamp"); }

bool has_finalizer(const Json& object, const char* finalizer) {
  const auto list = object["metadata"].find("finalizers");
  return list != object["metadata"].end() && std::find(list->begin(), list->end(), finalizer) != list->end();
}

bool drop_finalizer(Json& object, const char* finalizer) {
  const auto list = object["metadata"].find("finalizers");
  if (list == object["metadata"].end()) return false;
  const auto found = std::find(list->begin(), list->end(), finalizer);
  if (found == list->end()) return false;
  list->erase(found);
  if (list->empty()) object["metadata"].erase("finalizers");
  return true;
}

}  // namespace

Collector::Collector(Store& store, Catalog& catalog, Registry& registry, std::chrono::milliseconds interval)
    : store_(store), catalog_(catalog), registry_(registry), interval_(interval) {}

void Collector::start() {
  thread_ = std::jthread([this](std::stop_token stop) {
    uint64_t seen = 0;
    while (!stop.stop_requested()) {
      const uint64_t now = store_.revision();
      if (concerns(seen)) pass();
      seen = now;
      store_.wait_any(seen, interval_, stop);
    }
  });
}

void Collector::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

// Most writes touch no owner and delete nothing.
bool Collector::concerns(uint64_t since) const {
  const auto events = store_.all_events(since);
  if (!events) return true;
  return std::any_of(events->begin(), events->end(), [](const StoreEvent& event) {
    return event.change == Change::kDeleted || being_deleted(*event.object) ||
           (event.change == Change::kAdded && (*event.object)["metadata"].contains("ownerReferences"));
  });
}

bool Collector::pass() {
  bool changed = false;
  for (int round = 0; round < 20; ++round) {
    const bool more = collect_orphans() | end_namespaces() | end_definitions();
    if (!more) break;
    changed = true;
  }
  return changed;
}

bool Collector::end_namespaces() {
  bool changed = false;
  const KindPtr kind = catalog_.find("", "v1", "namespaces");
  for (const auto& [key, object] : items_of(store_, kind->resource(), "")) {
    if (!being_deleted(*object)) continue;
    bool empty = true;
    for (const KindPtr& inner : catalog_.all()) {
      if (!inner->namespaced) continue;
      for (const auto& [inner_key, content] : items_of(store_, inner->resource(), key.name)) {
        if (!being_deleted(*content)) {
          registry_.remove(*inner, inner_key, {});
          changed = true;
        }
        empty = false;
      }
    }
    if (!empty) continue;
    registry_.amend(*kind, key, [](Json& ns) {
      ns["spec"].erase("finalizers");
      return true;
    });
    changed = true;
  }
  return changed;
}

bool Collector::end_definitions() {
  bool changed = false;
  const KindPtr kind = catalog_.find("apiextensions.k8s.io", "v1", "customresourcedefinitions");
  for (const auto& [key, object] : items_of(store_, kind->resource(), "")) {
    if (!being_deleted(*object)) continue;
    const KindPtr instances = catalog_.find({(*object)["spec"]["group"], (*object)["spec"]["names"]["plural"]});
    bool empty = true;
    if (instances) {
      for (const auto& [inner_key, content] : items_of(store_, instances->resource(), "")) {
        if (!being_deleted(*content)) {
          registry_.remove(*instances, inner_key, {});
          changed = true;
        }
        empty = false;
      }
    }
    if (!empty || !has_finalizer(*object, "customresourcecleanup.apiextensions.k8s.io")) continue;
    registry_.amend(*kind, key, [](Json& definition) {
      return drop_finalizer(definition, "customresourcecleanup.apiextensions.k8s.io");
    });
    changed = true;
  }
  return changed;
}

bool Collector::collect_orphans() {
  struct Item {
    KindPtr kind;
    kube::Key key;
    Object object;
  };
  std::map<std::string, Item> by_uid;
  std::multimap<std::string, std::string> dependents;  // owner's uid → dependent's uid
  std::set<ResourceName> done;
  for (const KindPtr& kind : catalog_.all()) {
    if (!done.insert(kind->resource()).second) continue;
    for (const auto& [key, object] : items_of(store_, kind->resource(), "")) {
      const std::string uid = (*object)["metadata"].value("uid", "");
      by_uid[uid] = {kind, key, object};
      for (const Json& owner : (*object)["metadata"].value("ownerReferences", Json::array()))
        dependents.emplace(owner.value("uid", ""), uid);
    }
  }
  bool changed = false;
  for (const auto& [uid, item] : by_uid) {
    const Json& object = *item.object;
    if (being_deleted(object) && has_finalizer(object, "orphan")) {
      for (auto [each, last] = dependents.equal_range(uid); each != last; ++each) {
        const Item& dependent = by_uid[each->second];
        registry_.amend(*dependent.kind, dependent.key, [&, owner = uid](Json& its) {
          Json kept = Json::array();
          for (const Json& reference : its["metadata"].value("ownerReferences", Json::array()))
            if (reference.value("uid", "") != owner) kept.push_back(reference);
          if (kept.empty())
            its["metadata"].erase("ownerReferences");
          else
            its["metadata"]["ownerReferences"] = kept;
          return true;
        });
      }
      registry_.amend(*item.kind, item.key, [](Json& its) { return drop_finalizer(its, "orphan"); });
      changed = true;
      continue;
    }
    if (being_deleted(object) && has_finalizer(object, "foregroundDeletion")) {
      bool blocked = false;
      for (auto [each, last] = dependents.equal_range(uid); each != last; ++each) {
        const Item& dependent = by_uid[each->second];
        for (const Json& reference : (*dependent.object)["metadata"].value("ownerReferences", Json::array()))
          if (reference.value("uid", "") == uid && reference.value("blockOwnerDeletion", false)) blocked = true;
        if (being_deleted(*dependent.object)) continue;
        DeleteRequest request;
        request.propagation = "Foreground";
        registry_.remove(*dependent.kind, dependent.key, request);
        changed = true;
      }
      if (!blocked) {
        registry_.amend(*item.kind, item.key, [](Json& its) { return drop_finalizer(its, "foregroundDeletion"); });
        changed = true;
      }
      continue;
    }
    const Json owners = object["metadata"].value("ownerReferences", Json::array());
    if (owners.empty() || being_deleted(object)) continue;
    // An owner counts where its uid lives in the same namespace or at the cluster scope.
    const bool owned = std::any_of(owners.begin(), owners.end(), [&](const Json& owner) {
      const auto found = by_uid.find(owner.value("uid", ""));
      return found != by_uid.end() && (found->second.key.ns.empty() || found->second.key.ns == item.key.ns);
    });
    if (owned) continue;
    DeleteRequest request;
    request.uid = uid;
    request.propagation = "Background";
    if (registry_.remove(*item.kind, item.key, request)) changed = true;
  }
  return changed;
}

}  // namespace twinspan::sandbox
