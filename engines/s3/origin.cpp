#include "engines/s3/origin.hpp"

#include <fmt/format.h>

#include "engines/s3/history.hpp"
#include "engines/s3/likeness.hpp"
#include "s3/digest.hpp"

namespace twinspan::s3 {
namespace {

std::string of(const Metadata& metadata, std::string_view name) {
  const auto held = metadata.user.find(std::string(name));
  return held == metadata.user.end() ? "" : held->second;
}

// Lengths first: no two sets of fields read alike.
std::string seal_of(const std::string& place, const std::string& key, const std::string& etag,
                    const std::string& modified, const std::string& copy_etag) {
  std::string text;
  for (const std::string* field : {&place, &key, &etag, &modified, &copy_etag})
    text += fmt::format("{}:{}", field->size(), *field);
  return to_hex(md5_of(text));
}

}  // namespace

std::string place_of(const Side& side) { return fmt::format("{} {} {}", side.where, side.bucket.name(), side.prefix); }

void mark_copy(Metadata& metadata, const Origin& origin, const std::string& copy_etag) {
  const std::string modified = to_rfc3339(origin.modified);
  metadata.user[std::string(kSourceEtagName)] = origin.etag;
  metadata.user[std::string(kSourceModifiedName)] = modified;
  metadata.user[std::string(kSealName)] = seal_of(origin.place, origin.key, origin.etag, modified, copy_etag);
}

Claim claim_of(const Metadata& metadata, const std::string& place, const std::string& key, const std::string& etag) {
  Claim claim;
  claim.source_etag = of(metadata, kSourceEtagName);
  if (claim.source_etag.empty()) return {};
  const std::string modified = of(metadata, kSourceModifiedName), seal = of(metadata, kSealName);
  if (seal.empty()) {  // a one-way link's
    claim.proof = Proof::kNamed;
    return claim;
  }
  if (seal == seal_of(place, key, claim.source_etag, modified, etag)) claim.proof = Proof::kSealed;
  if (seal == seal_of(place, key, claim.source_etag, modified, "")) claim.proof = Proof::kNamed;
  const auto time = parse_rfc3339(modified);
  if (claim.proof == Proof::kNone || !time) return {};
  claim.source_modified = *time;
  return claim;
}

void unmark(Metadata& metadata) {
  for (std::string_view name : {kSourceEtagName, kSourceModifiedName, kSealName, kSourceVersionName})
    metadata.user.erase(std::string(name));
}

}  // namespace twinspan::s3
