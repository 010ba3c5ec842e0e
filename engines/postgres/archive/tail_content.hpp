// What a tail's object holds: a line of JSON that says what it is, the bytes of the segment from its start on, and 32
// bytes of SHA-256 over both. Compressed; sealed as objects of S3 links are (docs/s3.md), where the repository is
// encrypted, with a key that is HMAC-SHA256 of the passphrase, keyed by "twinspan-tail-v1": whoever has the passphrase
// can open it by hand, and nobody can change it unseen.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "backup/tail.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"
#include "engines/s3/stored/seal_key.hpp"

namespace twinspan::postgres {

struct TailHead {
  std::string stanza;
  backup::TailName name;
  WallTime at{};  // everything that was flushed until then is stored, by the primary's clock
  bool operator==(const TailHead&) const = default;
};
struct Tail {
  TailHead head;
  std::string bytes;  // of the segment, from its start on
};

// nullptr where the repository is not encrypted.
std::shared_ptr<const s3::SealKey> tail_key(const std::string& passphrase);

// Hands out the segment's bytes from its start up to the tail's end, in pieces.
using SegmentReader = std::function<Status(const std::function<Status(std::string_view)>& piece)>;

Result<std::string> pack_tail(const TailHead& head, const std::shared_ptr<const s3::SealKey>& key,
                              const SegmentReader& read);
// kInvalid: it is not what was stored under this stanza and name, in words. Where there is a key, what is not sealed by
// it is refused.
Result<Tail> unpack_tail(std::string_view object, const std::string& stanza, const backup::TailName& name,
                         const std::shared_ptr<const s3::SealKey>& key);

// The first `until` - start positions of a tail, and zeros: a file that PostgreSQL reads up to there.
std::string padded_segment(Tail tail, uint64_t until);

}  // namespace twinspan::postgres
