#include "engines/postgres/archive/lineage_store.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engines/postgres/archive/named_objects.hpp"

namespace twinspan::postgres {

Result<std::vector<backup::LineageEntry>> LineageStore::list(const std::stop_token& stop) {
  const auto names = list_names(*bucket_, folder_, "", stop);
  if (!names) return std::unexpected(names.error());
  std::vector<backup::LineageEntry> noted;
  for (const std::string& name : *names)
    if (const auto entry = backup::parse_lineage_entry(name)) noted.push_back(*entry);
  return noted;
}

Result<std::vector<backup::LineageEntry>> LineageStore::note(const backup::LineageEntry& entry,
                                                             const std::function<bool()>& still,
                                                             const std::stop_token& stop) {
  auto noted = list(stop);
  if (!noted) return noted;
  if (const auto rival = backup::rival_of(entry, *noted))
    return std::unexpected(Error{
        Code::kConflict,
        fmt::format("WalConflict: timeline {} is another promotion's in the repository (of epoch {}, which began it at "
                    "{}; this one is of epoch {}, from {}): nothing is stored under it. Switch over once: the next "
                    "timeline is free",
                    entry.timeline, rival->epoch, to_string(Position{rival->from}), entry.epoch,
                    to_string(Position{entry.from})),
        false});
  if (std::ranges::find(*noted, entry) != noted->end()) return noted;
  const Error gone{Code::kUnavailable, "another may be primary by now", true};
  if (!still()) return std::unexpected(gone);
  if (auto put = put_name(*bucket_, folder_, backup::to_string(entry), stop); !put) return std::unexpected(put.error());
  // Whoever was held up in between noted it after its successor had looked.
  if (!still()) {
    (void)bucket_->remove(folder_ + backup::to_string(entry), stop);
    return std::unexpected(gone);
  }
  noted->push_back(entry);
  return noted;
}

}  // namespace twinspan::postgres
