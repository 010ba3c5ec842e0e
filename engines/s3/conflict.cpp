#include "engines/s3/conflict.hpp"

#include <tuple>

namespace twinspan::s3 {
namespace {

WallTime written(const Present& object) { return object.claim.source_modified.value_or(object.modified); }

bool made_from(const Present& copy, const Present& original) {
  return copy.claim.proof != Proof::kNone && copy.claim.source_etag == original.etag;
}

}  // namespace

Ruling rule_on(const Present& source, const Present& target, std::optional<SinceEqual> since, bool source_leads) {
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
  const auto rank = [](const Present& object) { return std::tie(object.etag, object.size_bytes); };
  const bool source_wins = written(source) != written(target) ? written(source) > written(target)
                                                              : source_leads || rank(source) > rank(target);
  return {source_wins ? Newer::kSource : Newer::kTarget, true};
}

}  // namespace twinspan::s3
