#include "engines/s3/conflict.hpp"

#include <tuple>

namespace twinspan::s3 {
namespace {

WallTime written(const Present& object) { return object.claim.source_modified.value_or(object.modified); }

bool made_from(const Present& copy, const Present& original) {
  return copy.claim.proof != Proof::kNone && copy.claim.source_etag == original.etag;
}

// Of two objects of which neither is known to follow from the other.
bool source_wins(const Present& source, const Present& target, const std::optional<Turned>& turned) {
  if (turned && turned->target_since == turned->source_before) return !turned->source_before;
  if (written(source) != written(target)) return written(source) > written(target);
  const auto rank = [](const Present& object) { return std::tie(object.etag, object.size_bytes); };
  return turned ? !turned->source_before : rank(source) > rank(target);
}

}  // namespace

Ruling rule_on(const Present& source, const Present& target, std::optional<SinceEqual> since,
               std::optional<Turned> turned) {
  if (source.size_bytes == target.size_bytes &&
      (source.size_bytes == 0 || source.etag == target.etag || made_from(source, target) || made_from(target, source)))
    return {};
  if (since && since->source_unchanged && since->target_unchanged) return {};
  if (since && since->source_unchanged) return {Newer::kTarget};
  if (since && since->target_unchanged) return {Newer::kSource};
  const bool source_copied = source.claim.proof == Proof::kSealed, target_copied = target.claim.proof == Proof::kSealed;
  // A seal for the present original with another size is no server's answer: nothing follows from it.
  const bool odd = made_from(source, target) || made_from(target, source);
  if (!odd && source_copied != target_copied) return {target_copied ? Newer::kSource : Newer::kTarget};
  return {source_wins(source, target, turned) ? Newer::kSource : Newer::kTarget, true};
}

}  // namespace twinspan::s3
