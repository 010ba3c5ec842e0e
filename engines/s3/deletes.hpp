// Which keys of the target may go because the source has them no more. Pure.
#pragma once
#include <string>
#include <vector>

#include "engines/s3/settings.hpp"

namespace twinspan::s3 {

// What a complete walk over both sides has found.
struct ExtraKeys {
  bool listing_complete = false;  // of both sides, to their ends, without an error
  // Of the whole link, whatever our share is: what protects a target must not depend on how many workers there are.
  uint64_t source_objects = 0;
  uint64_t count = 0;             // keys of the target that the source lacks
  std::vector<std::string> keys;  // our own of them, or only some where there are more than the cap
  uint64_t others = 0;            // of `count`: other shares'
  uint64_t older = 0;             // not in `count`: keys that were there before the link, which stay
};

enum class DeletesWithheld {
  kNo,
  kIncomplete,   // absence can't be concluded from half a listing
  kSourceEmpty,  // an unreachable, wrong or emptied source looks the same; a target is emptied by people
  kOverCap,      // nothing at all is deleted, so that people look first
  kNoMarker,     // some are kept: the source keeps versions and has no delete marker for them
  kNotOurs,      // some are kept: they were there before the link began
};
std::string_view to_string(DeletesWithheld withheld);

struct DeletePlan {
  std::vector<std::string> keys;
  DeletesWithheld withheld = DeletesWithheld::kNo;
};

DeletePlan plan_deletes(const DeletePolicy& policy, ExtraKeys extra);

}  // namespace twinspan::s3
