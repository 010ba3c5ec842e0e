// Whether two objects are the same, as far as two listings tell. Pure. Never by time.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "engines/s3/settings.hpp"
#include "s3/bucket.hpp"

namespace twinspan::s3 {

// The user metadata that says from which object (by its ETag) a copy was made. It answers where ETags can't: other part
// sizes, encryption. On every multi-part object we write and on all that are stored in another form, on others only
// where ETags are known to differ.
inline constexpr std::string_view kSourceEtagName = "twinspan-source-etag";

// 0: "<md5>", so far as its form tells; N: "<md5 of md5s>-N"; nullopt: neither.
std::optional<int> etag_parts(std::string_view etag);

// The 16 bytes that "<md5>" writes in hex; nullopt for an ETag of another form.
std::optional<std::string> md5_in(std::string_view etag);

enum class Likeness {
  kEqual,
  kDifferent,
  kUnsure,  // same size, ETags that differ: by content, or by how they came about. The marker (kSourceEtagName) tells
};
// Of objects, or of versions of one.
template <class One>
Likeness likeness_of(const One& source, const One& target) {
  if (source.size_bytes != target.size_bytes) return Likeness::kDifferent;
  if (source.etag == target.etag || source.size_bytes == 0) return Likeness::kEqual;
  return Likeness::kUnsure;
}
inline Likeness likeness(const Listed& source, const Listed& target) { return likeness_of(source, target); }
// Where copies are stored in another form, or are brought back from it, listings say little.
Likeness likeness(const Settings& settings, const Listed& source, const Listed& target);

// Of an unsure pair: the source was written after its copy, and neither ETag has another form than a digest's. Then it
// differs, unless both are no digests, or the servers' clocks are off: it is carried without asking for the marker,
// which does no harm. Whoever sees that a side's ETags are no digests must not ask this any more.
bool written_since(const Listed& source, const Listed& target);

// Whether two servers name the same digest of a whole object (x-amz-checksum-…, as Head has them). Digests of 32 bits
// prove nothing, and neither do those of parts' digests ("…-3", or type COMPOSITE).
bool same_digest(const std::map<std::string, std::string>& ours, const std::map<std::string, std::string>& theirs);

// One was made from the other, in either direction.
bool made_from(const Metadata& copy, std::string_view original_etag);

}  // namespace twinspan::s3
