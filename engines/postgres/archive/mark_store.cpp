#include "engines/postgres/archive/mark_store.hpp"

#include "core/log.hpp"
#include "engines/postgres/archive/named_objects.hpp"

namespace twinspan::postgres {

Result<std::vector<backup::Mark>> MarkStore::list(const std::stop_token& stop) {
  const auto names = list_names(*bucket_, folder_, "", stop);
  if (!names) return std::unexpected(names.error());
  std::vector<backup::Mark> marks;
  for (const std::string& name : *names)
    if (const auto mark = backup::parse_mark(name)) marks.push_back(*mark);
  return marks;
}

Result<std::optional<backup::Mark>> MarkStore::newest(backup::Timeline timeline, const std::stop_token& stop) {
  const auto marks = list(stop);
  if (!marks) return std::unexpected(marks.error());
  return backup::newest_mark(*marks, timeline);
}

Status MarkStore::put(const backup::Mark& mark, const std::stop_token& stop) {
  if (auto stored = put_name(*bucket_, folder_, to_string(mark), stop); !stored) return stored;
  const auto marks = list(stop);
  if (!marks) return std::unexpected(marks.error());
  for (const backup::Mark& one : *marks) {
    if (one.timeline != mark.timeline || !backup::is_newer(mark, one)) continue;
    if (auto removed = bucket_->remove(folder_ + to_string(one), stop); !removed) {
      // A bucket that lets nobody remove anything has them all, and refuses each: the newest counts.
      log::warn("marks that are of no use stay", {{"error", removed.error().message}});
      break;
    }
  }
  return {};
}

}  // namespace twinspan::postgres
