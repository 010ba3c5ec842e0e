#include "engines/postgres/archive/lineage_store.hpp"

#include <algorithm>

#include "engines/postgres/archive/named_objects.hpp"

namespace twinspan::postgres {

Result<backup::LineageNotes> LineageStore::list(const std::stop_token& stop) {
  const auto names = list_names(*bucket_, folder_, "", stop);
  if (!names) return std::unexpected(names.error());
  return backup::lineage_in(*names);
}

Result<bool> LineageStore::has_anything_of(backup::Timeline timeline, const std::stop_token& stop) {
  for (const std::string& folder : {archive_, tails_}) {
    const auto names = list_names(*bucket_, folder, fmt::format("{:08X}", timeline), stop);
    if (!names) return std::unexpected(names.error());
    if (!names->empty()) return true;
  }
  return false;
}

Result<backup::LineageNotes> LineageStore::note(const backup::OwnLineage& own, const std::function<bool()>& still,
                                                const std::stop_token& stop) {
  const auto noted = list(stop);
  if (!noted) return noted;
  const backup::LineageEntry& mine = own.begun;
  if (const auto rival = backup::rival_of(mine, noted->begun)) {
    // Whoever noted it and fell before anything of it was stored is in nobody's way.
    const auto stored = rival->epoch < mine.epoch ? has_anything_of(mine.timeline, stop) : Result<bool>(true);
    if (!stored) return std::unexpected(stored.error());
    if (*stored)
      return std::unexpected(
          Error{Code::kConflict,
                fmt::format(
                    "WalConflict: timeline {} is another promotion's in the repository (of epoch {}, which began it "
                    "at {}; this one is of epoch {}, from {}): nothing is stored under it. Switch over once: the next "
                    "timeline is free",
                    mine.timeline, rival->epoch, to_string(Position{rival->from}), mine.epoch,
                    to_string(Position{mine.from})),
                false});
  }
  const std::vector<std::string> names = backup::names_to_note(own, *noted);
  if (names.empty()) return noted;
  const Error gone{Code::kUnavailable, "another may be primary by now", true};
  for (const std::string& name : names) {
    if (!still()) return std::unexpected(gone);
    if (auto put = put_name(*bucket_, folder_, name, stop); !put) return std::unexpected(put.error());
  }
  // Whoever was held up in between noted it after its successor had looked.
  if (!still()) {
    for (const std::string& name : names) (void)bucket_->remove(folder_ + name, stop);
    return std::unexpected(gone);
  }
  return list(stop);
}

}  // namespace twinspan::postgres
