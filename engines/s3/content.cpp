#include "engines/s3/content.hpp"

#include "engines/s3/both_ways.hpp"
#include "engines/s3/likeness.hpp"

namespace twinspan::s3 {

namespace {

// The source was made from the target, which hasn't changed since it was listed; or both servers know the content by
// the same digest of the whole.
Result<bool> told_by_source(const Route& route, const Listed& source, const Head& theirs,
                            const std::string& target_etag, const std::stop_token& stop) {
  if (theirs.object.etag != target_etag) return false;
  const auto ours = route.source.bucket.head(route.at_source(source.key), stop);
  if (!ours) return std::unexpected(at_source(ours.error()));
  if (ours->object.etag != source.etag) return false;
  return made_from(ours->metadata, target_etag) ||
         (route.settings.stored.plain() && same_digest(ours->checksums, theirs.checksums));
}

// The source is a former target: what it holds in another form has its original's size in its mark.
Result<bool> same_restored(const Route& route, const Listed& source, const Head& theirs, const std::string& target_etag,
                           const std::stop_token& stop) {
  const auto ours = route.source.bucket.head(route.at_source(source.key), stop);
  if (!ours) return std::unexpected(at_source(ours.error()));
  if (ours->object.etag != source.etag || theirs.object.etag != target_etag) return false;
  const auto mark = stored_mark(ours->metadata);
  if (theirs.object.size_bytes != (mark ? mark->source_bytes : source.size_bytes)) return false;
  return made_from(theirs.metadata, source.etag) || made_from(ours->metadata, target_etag);
}

std::string form_in(const Metadata& metadata) {
  const auto mark = stored_mark(metadata);
  return mark ? mark->form : "";
}

}  // namespace

Result<bool> same_content(const Route& route, const Listed& source, const std::string& target_etag,
                          const std::stop_token& stop) {
  const auto theirs = route.target.bucket.head(route.at_target(source.key), stop);
  if (!theirs) {
    if (theirs.error().code == Code::kNotFound) return false;
    return std::unexpected(theirs.error());
  }
  if (route.settings.both_ways) {
    if (theirs->object.size_bytes != source.size_bytes) return false;
    const auto ours = route.source.bucket.head(route.at_source(source.key), stop);
    if (!ours) return std::unexpected(at_source(ours.error()));
    return rule_on(present_of(*ours, route.target, source.key), present_of(*theirs, route.source, source.key), {})
               .newer == Newer::kNeither;
  }
  if (route.settings.restore) return same_restored(route, source, *theirs, target_etag, stop);
  const auto mark = stored_mark(theirs->metadata);
  if (route.settings.stored.plain()) {
    if (theirs->object.size_bytes != source.size_bytes) return false;
    if (mark) {  // either the source has it too, and it went along, or the link stored it in another form once
      const auto ours = route.source.bucket.head(route.at_source(source.key), stop);
      if (!ours) return std::unexpected(at_source(ours.error()));
      if (form_in(ours->metadata) != mark->form) return false;
    }
  } else if (!mark || mark->form != route.settings.stored.mark() || mark->source_bytes != source.size_bytes) {
    return false;
  }
  if (made_from(theirs->metadata, source.etag)) return true;
  return told_by_source(route, source, *theirs, target_etag, stop);
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
    Metadata same = carried(route.settings, unmarked(metadata), "");
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
