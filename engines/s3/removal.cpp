#include "engines/s3/removal.hpp"

namespace twinspan::s3 {

Result<Removed> remove_confirmed(const Route& route, const std::vector<std::string>& keys,
                                 const std::stop_token& stop) {
  std::vector<std::string> gone;
  for (const std::string& key : keys) {
    const auto head = route.source.bucket.head(route.at_source(key), stop);
    if (head) continue;
    if (head.error().code != Code::kNotFound) return std::unexpected(head.error());
    gone.push_back(route.at_target(key));
  }
  if (gone.empty()) return Removed{};
  ListRequest request;
  request.prefix = route.source.prefix;
  request.max_keys = 1;
  const auto page = route.source.bucket.list(request, stop);
  if (!page) return std::unexpected(page.error());
  if (page->objects.empty()) return Removed{0, true};
  constexpr size_t kBatch = 1000;
  Removed removed;
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
