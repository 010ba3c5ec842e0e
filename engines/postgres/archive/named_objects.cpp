#include "engines/postgres/archive/named_objects.hpp"

namespace twinspan::postgres {

Result<std::vector<std::string>> list_names(s3::Bucket& bucket, const std::string& folder, const std::string& prefix,
                                            const std::stop_token& stop) {
  std::vector<std::string> names;
  s3::ListRequest request;
  request.prefix = folder + prefix;
  do {
    const auto page = bucket.list(request, stop);
    if (!page) return std::unexpected(page.error());
    for (const s3::Listed& one : page->objects) names.push_back(one.key.substr(folder.size()));
    request.continuation = page->next;
  } while (!request.continuation.empty());
  return names;
}

Status put_name(s3::Bucket& bucket, const std::string& folder, const std::string& name, const std::stop_token& stop) {
  const auto stored = bucket.put({.key = folder + name}, "", stop);
  return stored ? Status{} : std::unexpected(stored.error());
}

}  // namespace twinspan::postgres
