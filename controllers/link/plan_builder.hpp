// What planners of every engine do alike: steps, waiting, the finalizer, the authority, what links have whatever runs.
#pragma once
#include <memory>
#include <string>
#include <utility>

#include "controllers/link/link_plan.hpp"

namespace twinspan::controllers {

class PlanBuilder {
 protected:
  explicit PlanBuilder(const LinkSeen& seen) : seen_(seen), link_(*seen.link) {}

  const std::string& name() const { return link_.metadata.name; }
  kube::Key key(std::string object) const { return {link_.metadata.ns, std::move(object)}; }

  void step(Effect effect, std::string reason = "", std::string message = "", bool warning = false);
  // The first reason is what comes first: it stays.
  void wait(std::string reason, std::string message);
  void check_at(WallTime time);

  bool has_finalizer() const;
  void add_finalizer();
  void drop_finalizer();

  // Applies the object unless it is there as rendered, by its hash.
  void keep(const kube::Resource& resource, const std::shared_ptr<const Owned>& there, Json object);
  // The CA, where it is due. False: nothing can be issued yet, or it is damaged and waits for a person.
  bool authority();
  void certificates(const EndpointSeen& member);

  template <class T>
  void remove(const kube::Resource& resource, const std::shared_ptr<const T>& object, const std::string& object_name) {
    if (object && !object->terminating && object->link == name()) step(Remove{resource, key(object_name), object->uid});
  }
  void remove_common();  // CA, budget, account, role, binding

  const LinkSeen& seen_;
  const CachedLink& link_;
  LinkPlan plan_;

 private:
  void patch_link(Json meta);
  bool due(const std::shared_ptr<const Secret>& secret);
};

}  // namespace twinspan::controllers
