// What planners of every engine do alike: steps, waiting, the finalizer, the authority, what links have whatever runs.
#pragma once
#include <memory>
#include <string>
#include <utility>

#include "controllers/link/link_plan.hpp"

namespace twinspan::controllers {

class PlanBuilder {
 protected:
  explicit PlanBuilder(const LinkSeen& seen) : seen_(seen), link_(*seen.link), claimant_(claimant(*seen.link)) {}

  const std::string& name() const { return link_.metadata.name; }
  kube::Key key(std::string object) const { return {link_.metadata.ns, std::move(object)}; }

  void step(Effect effect, std::string reason = "", std::string message = "", bool warning = false);
  // What is said first comes first: it stays.
  void wait(WaitFor what, std::string message);
  void check_at(WallTime time);

  // Links of earlier versions: nothing needs their finalizer any more.
  void drop_finalizer();

  enum class Standing { kAbsent, kUsable, kForeign };
  // What is to be done with an object of that name, judged by whose it is: an earlier link's is taken over as `wanted`
  // says, somebody else's is noted and left alone. kAbsent: it may be made.
  template <class T>
  Standing standing(const kube::Resource& resource, const std::shared_ptr<const T>& there, const Json& wanted) {
    return standing(resource, static_cast<const Owned*>(there.get()), wanted);
  }
  // Applies the object unless it is there as rendered, by its hash. False: somebody else's is in its place.
  bool keep(const kube::Resource& resource, const std::shared_ptr<const Owned>& there, Json object);
  // The CA, where it is due. False: nothing can be issued yet, or it is damaged and waits for a person.
  bool authority();
  void certificates(const EndpointSeen& member);
  bool is_foreign(const kube::Resource& resource, const std::string& object) const;  // as noted by this plan

  // What was handed over stays.
  template <class T>
  void remove(const kube::Resource& resource, const std::shared_ptr<const T>& object, const std::string& object_name) {
    if (object && !object->terminating && may_be_deleted(whose(*object, claimant_)))
      step(Remove{resource, key(object_name), object->uid});
  }

  const LinkSeen& seen_;
  const CachedLink& link_;
  const Claimant claimant_;
  LinkPlan plan_;

 private:
  Standing standing(const kube::Resource& resource, const Owned* there, const Json& wanted);
  Standing absent(const kube::Resource& resource, const std::string& object);
  void note_foreign(const kube::Resource& resource, const std::string& object);
  bool due(const std::shared_ptr<const Secret>& secret);
};

}  // namespace twinspan::controllers
