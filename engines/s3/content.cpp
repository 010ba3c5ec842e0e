#include "engines/s3/content.hpp"

#include "engines/s3/both_ways.hpp"
#include "engines/s3/likeness.hpp"

namespace twinspan::s3 {

Result<bool> same_content(const Route& route, const Listed& source, const std::string& target_etag,
                          const std::stop_token& stop) {
  const auto theirs = route.target.bucket.head(route.at_target(source.key), stop);
  if (!theirs) {
    if (theirs.error().code == Code::kNotFound) return false;
    return std::unexpected(theirs.error());
  }
  if (theirs->object.size_bytes != source.size_bytes) return false;
  if (route.settings.both_ways) {
    const auto ours = route.source.bucket.head(route.at_source(source.key), stop);
    if (!ours) return std::unexpected(at_source(ours.error()));
    return rule_on(present_of(*ours, route.target, source.key), present_of(*theirs, route.source, source.key), {})
               .newer == Newer::kNeither;
  }
  if (made_from(theirs->metadata, source.etag)) return true;
  if (theirs->object.etag != target_etag) return false;
  const auto ours = route.source.bucket.head(route.at_source(source.key), stop);
  if (!ours) return std::unexpected(at_source(ours.error()));
  return ours->object.etag == source.etag && made_from(ours->metadata, target_etag);
}

Result<bool> same_metadata(const Route& route, const Listed& source, const Listed& target,
                           const std::stop_token& stop) {
  const auto ours = route.source.bucket.head(route.at_source(source.key), stop);
  if (!ours && ours.error().code == Code::kNotFound) return true;
  if (!ours) return std::unexpected(ours.error());
  const auto theirs = route.target.bucket.head(route.at_target(target.key), stop);
  if (!theirs && theirs.error().code == Code::kNotFound) return true;
  if (!theirs) return std::unexpected(theirs.error());
  if (ours->object.etag != source.etag || theirs->object.etag != target.etag) return true;
  const auto comparable = [&](const Metadata& metadata) {
    Metadata same = carried(route.settings, metadata, "");
    same.storage_class.clear();  // a target may know other classes
    // Servers that keep keys as files' paths have a folder here, and a type of their own for it.
    if (source.key.ends_with('/') && source.size_bytes == 0) same.content_type.clear();
    return same;
  };
  if (comparable(ours->metadata) != comparable(theirs->metadata) || ours->tags != theirs->tags) return false;
  if (ours->tags == 0) return true;
  const auto our_tags = route.source.bucket.tags(route.at_source(source.key), stop);
  if (!our_tags) return std::unexpected(our_tags.error());
  const auto their_tags = route.target.bucket.tags(route.at_target(target.key), stop);
  if (!their_tags) return std::unexpected(their_tags.error());
  return *our_tags == *their_tags;
}

}  // namespace twinspan::s3
