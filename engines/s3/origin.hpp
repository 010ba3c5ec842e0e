// What a copy says of where it came from, in user metadata, and how far that is to be believed. Pure.
#pragma once
#include <optional>
#include <string>

#include "engines/s3/settings.hpp"

namespace twinspan::s3 {

// Besides kSourceEtagName (likeness.hpp), on every copy of a two-way link:
inline constexpr std::string_view kSourceModifiedName = "twinspan-source-modified";  // RFC 3339, of the original
inline constexpr std::string_view kSealName = "twinspan-seal";

// Clients carry user metadata along without knowing: a copy within a bucket, a download sent back after editing, an old
// version made the present one. So the marker is sealed: a digest over the place and key of the original, its ETag and
// date, and the ETag that the copy itself would get. Whatever is under another key, or has other bytes, breaks it.
enum class Proof {
  kNone,    // no marker, or a broken seal: a client's own object
  kNamed,   // for this key, but not for these bytes: the copy's ETag couldn't be foretold, or nothing was sealed
  kSealed,  // these very bytes were written here as a copy
};

struct Claim {
  Proof proof = Proof::kNone;
  std::string source_etag{};                  // what it was made from
  std::optional<WallTime> source_modified{};  // when that was written
};

// Where an object is from, as seals have it: endpoint, bucket and prefix, so that copies of another link's bucket are
// none of this one's.
std::string place_of(const Side& side);

struct Origin {
  std::string place, key;  // below the prefix
  std::string etag;
  WallTime modified{};  // to the second: what HEAD and GET tell
};

// `copy_etag`: what the copy's will be; empty where that can't be foretold.
void mark_copy(Metadata& metadata, const Origin& origin, const std::string& copy_etag);
// What an object of `key` with `etag` claims to be made from, where its original would be at `place`.
Claim claim_of(const Metadata& metadata, const std::string& place, const std::string& key, const std::string& etag);
// Nothing of a former marker is passed on.
void unmark(Metadata& metadata);

}  // namespace twinspan::s3
