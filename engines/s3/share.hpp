// A part of a link's keys, where several workers divide them. Pure.
//
// By a hash of the key, not by ranges: every worker lists both sides whole and copies what is its own. That balances
// however keys are named (new ones, dated, mostly lie at one end of a bucket), asks for no agreement on borders, and
// what protects a target (an empty source, a listing cut short, too many keys to delete) is judged by the whole link
// in each worker, as if it were alone. The price is the listing, a request for a thousand keys, once for each worker;
// copying is at least a request for each key.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace twinspan::s3 {

struct Share {
  int index = 0, count = 1;
  int64_t division = 0;  // which division of the keys it is a part of (status.division.generation)

  bool whole() const { return count <= 1; }
  // `key` is below the link's prefix. Every key has one share.
  bool has(std::string_view key) const;
  // What this share may use of a bound on the whole link; all shares' parts make up the bound.
  size_t part_of(size_t bound) const;
  bool operator==(const Share&) const = default;
};

// Names what belongs to one share of a link only: "LINK", of one of several "LINK~2-of-5", counted from 0
// (no link's name has such a character).
std::string name_of_share(const std::string& link, const Share& share);

}  // namespace twinspan::s3
