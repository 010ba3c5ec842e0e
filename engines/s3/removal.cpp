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

}  // namespace

Result<Removed> remove_confirmed(const Route& route, const std::vector<std::string>& keys,
                                 const std::stop_token& stop) {
  const auto versions = keeps_versions(route.source.bucket, stop);
  if (!versions) return std::unexpected(versions.error());
  std::vector<std::string> gone;
  Removed removed;
  for (const std::string& key : keys) {
    const auto head = route.source.bucket.head(route.at_source(key), stop);
    if (head) continue;
    if (head.error().code != Code::kNotFound) return std::unexpected(head.error());
    if (*versions) {
      const auto marked = has_delete_marker(route.source.bucket, route.at_source(key), stop);
      if (!marked) return std::unexpected(marked.error());
      removed.unmarked += !*marked;
      if (!*marked) continue;
    }
    std::string name = route.at_target(key);
    const Result<bool> folds = route.folding.folds(name, stop);
    if (!folds) return std::unexpected(folds.error());
    if (*folds) continue;  // another key would go
    gone.push_back(std::move(name));
  }
  if (gone.empty()) return removed;
  ListRequest request;
  request.prefix = route.source.prefix;
  request.max_keys = 1;
  const auto page = route.source.bucket.list(request, stop);
  if (!page) return std::unexpected(page.error());
  removed.source_empty = page->objects.empty();
  if (removed.source_empty) return removed;
  constexpr size_t kBatch = 1000;
  for (size_t at = 0; at < gone.size(); at += kBatch) {
    const auto from = gone.begin() + static_cast<ptrdiff_t>(at);
    const auto results = route.target.bucket.remove(
        std::vector<std::string>(from, from + static_cast<ptrdiff_t>(std::min(kBatch, gone.size() - at))), stop);
    if (!results) return std::unexpected(results.error());
    for (const DeleteResult& result : *results) {
      if (!result.outcome) return std::unexpected(result.outcome.error());
      ++removed.count;
    }
  }
  return removed;
}

}  // namespace twinspan::s3
