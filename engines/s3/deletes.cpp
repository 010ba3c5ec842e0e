#include "engines/s3/deletes.hpp"

namespace twinspan::s3 {

std::string_view to_string(DeletesWithheld withheld) {
  switch (withheld) {
    case DeletesWithheld::kNo: return "";
    case DeletesWithheld::kIncomplete: return "ListingIncomplete";
    case DeletesWithheld::kSourceEmpty: return "SourceEmpty";
    case DeletesWithheld::kOverCap: return "OverCap";
    case DeletesWithheld::kNoMarker: return "NoDeleteMarker";
    case DeletesWithheld::kNotOurs: return "OlderThanLink";
  }
  return "";
}

DeletePlan plan_deletes(const DeletePolicy& policy, ExtraKeys extra) {
  if (policy.mode == DeleteMode::kIgnore) return {};
  if (extra.count == 0) return {{}, extra.older > 0 ? DeletesWithheld::kNotOurs : DeletesWithheld::kNo};
  if (!extra.listing_complete) return {{}, DeletesWithheld::kIncomplete};
  if (extra.source_objects == 0) return {{}, DeletesWithheld::kSourceEmpty};
  if (extra.count > policy.max_per_sync || extra.keys.size() != extra.count - extra.others)
    return {{}, DeletesWithheld::kOverCap};
  return {std::move(extra.keys), extra.older > 0 ? DeletesWithheld::kNotOurs : DeletesWithheld::kNo};
}

}  // namespace twinspan::s3
