// The few members that every object of the API has, read without exceptions.
#pragma once
#include <cstdint>
#include <string>

#include "core/json.hpp"
#include "kube/resource.hpp"

namespace twinspan::kube {

Key key_of(const Json& object);  // empty where there is no metadata
std::string resource_version_of(const Json& object);
// Resource versions are compared as numbers, which Kubernetes guarantees since 1.35 (KEP-5504) and etcd always did. 0:
// not a number.
uint64_t version_number(const std::string& version);

// What tells whether an object is news at all.
struct ObjectHead {
  Key key;
  std::string version;  // metadata.resourceVersion
  std::string event;  // "ADDED" … where the text is a watch event; else empty, or a member `type` of the object's own
};

// An object that an informer's decoder refused: logged and counted.
void note_undecodable(const std::string& plural, const Key& key, const std::string& reason);

}  // namespace twinspan::kube
