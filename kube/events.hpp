// Kubernetes Events for every step a person would ask about. Repeats within ten minutes raise the count of one object.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "kube/client.hpp"

namespace twinspan::kube {

struct ObjectRef {
  std::string api_version, kind, ns, name, uid;
};

// Written from a thread of its own through a bounded queue: recording never blocks a reconcile, and losing an Event is
// no error.
class EventRecorder {
 public:
  EventRecorder(Client& client, const Clock& clock, std::string component, std::string instance);
  ~EventRecorder();  // writes what is queued for at most a second
  void normal(const ObjectRef& object, std::string_view reason, std::string message);
  void warning(const ObjectRef& object, std::string_view reason, std::string message);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::kube
