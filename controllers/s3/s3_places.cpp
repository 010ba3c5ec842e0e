#include "controllers/s3/s3_places.hpp"

#include <fmt/format.h>

#include "controllers/s3/s3_seen.hpp"

namespace twinspan::controllers {
namespace {

using Places = std::vector<const api::Endpoint*>;

struct Ways {
  Places reads, writes;
};

// A two-way link does both on both sides.
Ways ways_of(const api::ReplicationLink& link) {
  Ways ways;
  const bool both = link.spec.topology == api::Topology::kActiveActive;
  const auto add = [&](const api::Endpoint& endpoint) {
    if (!endpoint.s3) return;
    const bool primary = endpoint.name == s3_primary(link);
    if (both || primary) ways.reads.push_back(&endpoint);
    if (both || !primary) ways.writes.push_back(&endpoint);
  };
  add(link.spec.source);
  for (const api::Endpoint& target : link.spec.targets) add(target);
  return ways;
}

// The one of `a` that lies in one of `b`, or holds it.
const api::Endpoint* overlap(const Places& a, const Places& b) {
  for (const api::Endpoint* one : a)
    for (const api::Endpoint* other : b)
      if (bucket_of(*one->s3) == bucket_of(*other->s3) &&
          (one->s3->prefix.starts_with(other->s3->prefix) || other->s3->prefix.starts_with(one->s3->prefix)))
        return one;
  return nullptr;
}

}  // namespace

std::optional<TakenPlace> place_taken_by(const api::ReplicationLink& link,
                                         const std::vector<const api::ReplicationLink*>& others) {
  const Ways ours = ways_of(link);
  for (const api::ReplicationLink* other : others) {
    if (other->metadata.deleting() || !is_older(*other, link)) continue;
    const Ways theirs = ways_of(*other);
    const api::Endpoint* place = overlap(ours.writes, theirs.writes);
    const char* why = "two that write there would overwrite each other";
    if (!place && overlap(ours.reads, theirs.writes)) {
      place = overlap(ours.writes, theirs.reads);
      why = "each would copy what the other has copied";
    }
    if (!place) continue;
    const std::string message = fmt::format(
        "{} (bucket {}, prefix \"{}\") is a place of ReplicationLink {}/{}, which was there before: {}. Choose "
        "another bucket or prefix, or delete one of the two",
        place->name, place->s3->bucket, place->s3->prefix, other->metadata.ns, other->metadata.name, why);
    return TakenPlace{place->name, message};
  }
  return std::nullopt;
}

std::optional<std::string> place_taken(const api::ReplicationLink& link,
                                       const std::vector<const api::ReplicationLink*>& others) {
  auto taken = place_taken_by(link, others);
  return taken ? std::optional(std::move(taken->message)) : std::nullopt;
}

}  // namespace twinspan::controllers
