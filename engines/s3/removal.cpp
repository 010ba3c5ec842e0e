#include "engines/s3/removal.hpp"

namespace twinspan::s3 {
namespace {

// Whether the source tells deleted keys from those it never had. Servers without versions, and credentials that may not
// ask, are taken for a source that doesn't.
Result<bool> keeps_versions(Bucket& bucket, const std::stop_token& stop) {
  const auto versioned = bucket.versioned(stop);
  if (versioned) return *versioned;
  const Code code = versioned.error().code;
  if (code == Code::kInvalid || code == Code::kDenied) return false;
  return std::unexpected(versioned.error());
}

Result<bool> has_delete_marker(Bucket& bucket, const std::string& key, const std::stop_token& stop) {
  ListRequest request;
  request.prefix = key;  // of all keys that begin so it comes first
  const auto page = bucket.list_versions(request, stop);
  if (!page) return std::unexpected(page.error());
  return std::any_of(page->objects.begin(), page->objects.end(),
                     [&](const Listed& one) { return one.key == key && one.latest && one.delete_marker; });
}

// Refused for this key's sake: a lock, a right that is missing. The others may go all the same.
bool of_this_key(const Error& error) {
  return error.code == Code::kDenied || error.code == Code::kInvalid || error.code == Code::kConflict;
}

// Whether the source says of a key that it is gone, and in no doubtful way.
Result<bool> gone_at_source(const Side& source, const std::string& key, bool versions, const std::stop_token& stop,
                            Removed& removed) {
  if (!versions) {
    const auto listed = still_listed(source, key, stop);
    if (!listed) return std::unexpected(listed.error());
    return !*listed;  // listed, it is not gone: a transfer says so
  }
  const auto marked = has_delete_marker(source.bucket, key, stop);
  if (!marked) return std::unexpected(marked.error());
  removed.unmarked += !*marked;
  return *marked;
}

// Whether what is at the target may go: it is there, and came with the link.
Result<bool> may_go_at_target(const Route& route, const std::string& name, const std::stop_token& stop,
                              Removed& removed) {
  const Result<bool> folds = route.folding.folds(name, stop);
  if (!folds) return std::unexpected(folds.error());
  if (*folds) return false;  // another key would go
  if (route.settings.deletes.not_before <= WallTime{}) return true;
  const auto there = route.target.bucket.head(name, stop);
  if (!there && there.error().code == Code::kNotFound) return false;
  if (!there) return std::unexpected(there.error());
  const bool older = there->object.last_modified < route.settings.deletes.not_before;
  removed.older += older;
  return !older;
}

// The names at the target of those keys that may go.
Result<std::vector<std::string>> confirmed(const Route& route, const std::vector<std::string>& keys,
                                           const std::stop_token& stop, Removed& removed) {
  const auto versions = keeps_versions(route.source.bucket, stop);
  if (!versions) return std::unexpected(versions.error());
  std::vector<std::string> gone;
  for (const std::string& key : keys) {
    const auto head = route.source.bucket.head(route.at_source(key), stop);
    if (head) continue;
    if (of_this_key(head.error())) {
      removed.failed.emplace_back(key, head.error());
      continue;
    }
    if (head.error().code != Code::kNotFound) return std::unexpected(head.error());
    const auto at_source = gone_at_source(route.source, route.at_source(key), *versions, stop, removed);
    if (!at_source) return std::unexpected(at_source.error());
    if (!*at_source) continue;
    std::string name = route.at_target(key);
    const auto at_target = may_go_at_target(route, name, stop, removed);
    if (!at_target) return std::unexpected(at_target.error());
    if (*at_target) gone.push_back(std::move(name));
  }
  return gone;
}

Result<bool> is_empty(const Side& side, const std::stop_token& stop) {
  ListRequest request;
  request.prefix = side.prefix;
  request.max_keys = 1;
  const auto page = side.bucket.list(request, stop);
  if (!page) return std::unexpected(page.error());
  return page->objects.empty();
}

Status remove_all(const Side& target, const std::vector<std::string>& names, const std::stop_token& stop,
                  Removed& removed) {
  constexpr size_t kBatch = 1000;
  for (size_t at = 0; at < names.size(); at += kBatch) {
    const auto from = names.begin() + static_cast<ptrdiff_t>(at);
    const auto results = target.bucket.remove(
        std::vector<std::string>(from, from + static_cast<ptrdiff_t>(std::min(kBatch, names.size() - at))), stop);
    if (!results) return std::unexpected(results.error());
    for (const DeleteResult& result : *results) {
      if (result.outcome) {
        ++removed.count;
        continue;
      }
      const Error& error = result.outcome.error();
      if (!of_this_key(error)) return std::unexpected(error);
      removed.failed.emplace_back(result.key.substr(target.prefix.size()), error);
    }
  }
  return {};
}

}  // namespace

Result<Removed> remove_confirmed(const Route& route, const std::vector<std::string>& keys,
                                 const std::stop_token& stop) {
  Removed removed;
  const auto gone = confirmed(route, keys, stop, removed);
  if (!gone) return std::unexpected(gone.error());
  if (gone->empty()) return removed;
  const auto empty = is_empty(route.source, stop);
  if (!empty) return std::unexpected(empty.error());
  removed.source_empty = *empty;
  if (removed.source_empty) return removed;
  if (const Status done = remove_all(route.target, *gone, stop, removed); !done) return std::unexpected(done.error());
  return removed;
}

}  // namespace twinspan::s3
