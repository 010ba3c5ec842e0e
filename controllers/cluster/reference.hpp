// An object of ours, as Events name what they are about.
#pragma once
#include "kube/events.hpp"

namespace twinspan::controllers {

template <class Object>
kube::ObjectRef reference_to(const Object& object) {
  return {std::string(Object::kApiVersion), std::string(Object::kKind), object.metadata.ns, object.metadata.name,
          object.metadata.uid};
}

}  // namespace twinspan::controllers
