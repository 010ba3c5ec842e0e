#include "engines/postgres/archive/tail_store.hpp"

#include "engines/postgres/archive/named_objects.hpp"
#include "engines/postgres/archive/repository_bucket.hpp"

namespace twinspan::postgres {

Result<TailStore> TailStore::open(const std::string& config_path, const std::string& stanza, const Clock& clock) {
  auto repository = open_repository(config_path, clock);
  if (!repository) return std::unexpected(repository.error());
  return TailStore(std::move(repository->bucket), repository->prefix, stanza, repository->passphrase);
}

Result<std::vector<backup::TailName>> TailStore::list(const std::string& segment, const std::stop_token& stop) {
  const auto found = list_names(*bucket_, folder_, segment, stop);
  if (!found) return std::unexpected(found.error());
  std::vector<backup::TailName> names;
  for (const std::string& one : *found)
    if (auto name = backup::parse_tail_name(one)) names.push_back(std::move(*name));
  return names;
}

Status TailStore::put(const backup::TailName& name, WallTime at, const SegmentReader& read,
                      const std::stop_token& stop) {
  const auto object = pack_tail({stanza_, name, at}, key_, read);
  if (!object) return std::unexpected(object.error());
  const auto stored = bucket_->put({.key = folder_ + to_string(name)}, *object, stop);
  return stored ? Status{} : std::unexpected(stored.error());
}

Result<Tail> TailStore::get(const backup::TailName& name, const std::stop_token& stop) {
  std::string object;
  const auto got = bucket_->get(
      {.key = folder_ + to_string(name)},
      [&](std::string_view piece) {
        object += piece;
        return true;
      },
      stop);
  if (!got) return std::unexpected(got.error());
  return unpack_tail(object, stanza_, name, key_);
}

Result<std::optional<TailHead>> TailStore::newest(backup::Timeline timeline, const std::stop_token& stop) {
  const auto names = list("", stop);
  if (!names) return std::unexpected(names.error());
  std::optional<backup::TailName> furthest;
  for (const backup::TailName& one : *names)
    if (backup::timeline_of(one.segment) == timeline && (!furthest || backup::goes_further(one, *furthest)))
      furthest = one;
  if (!furthest) return std::nullopt;
  auto tail = get(*furthest, stop);
  if (!tail && tail.error().code == Code::kNotFound) return std::nullopt;  // stored as a whole by now
  if (!tail) return std::unexpected(tail.error());
  return std::move(tail->head);
}

Status TailStore::remove(const backup::TailName& name, const std::stop_token& stop) {
  return bucket_->remove(folder_ + to_string(name), stop);
}

}  // namespace twinspan::postgres
