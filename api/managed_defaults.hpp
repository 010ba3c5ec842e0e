// What all managed endpoints of a link have alike (spec.postgres.managed), and what each says for itself. Pure.
#pragma once
#include <string>

#include "api/endpoints.hpp"
#include "api/types.hpp"
#include "core/result.hpp"

namespace twinspan::api {

struct Path;  // api/reader.hpp

// Completes every managed endpoint of `spec`, read from `json`, by what it leaves out: parameters, resources, storage
// and podTemplate are taken over key by key (its env by name), everything else as a whole. Said is also what is empty
// (`tolerations: []`). An endpoint that is neither managed nor external, nor of another engine, becomes a managed one.
// Whoever reads a link sees complete endpoints only.
Status inherit_managed(const Json& json, const Path& at, LinkSpec& spec);

// The spec with what its endpoints have, and without where they have it from: read again it is the same, also beside
// another spec.postgres.managed.
LinkSpec without_managed_defaults(LinkSpec spec);

// Where a part of an endpoint's `managed` was written, for people: below the link's where that has the very same, else
// below the endpoint's. `part` takes it out of a ManagedPostgres.
template <class Part>
std::string managed_field(const ReplicationLink& link, const EndpointPlace& place, Part part) {
  const auto& common = link.spec.postgres.managed;
  const auto& own = place.endpoint->postgres;
  const bool inherited = common && own && own->managed && part(*common) == part(*own->managed);
  return inherited ? "spec.postgres.managed" : place.field + ".postgres.managed";
}

}  // namespace twinspan::api
