// The container of sealed objects, and where what lies in it. docs/s3.md describes it for people.
//
// A header of 96 bytes, then segments. The stored object is cut at every MiB: the first segment has what the header
// leaves of the first MiB, the last one what is left. Each segment ends with the 16 bytes of its authentication tag.
// As in "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance" (Hoang, Reyhanitabar, Rogaway, Vizár:
// STREAM) a segment's nonce is its number, 11 bytes, and a byte that is 1 in the last one: what was cut off, put in
// another order or taken from another object does not open.
//
// An object's own key is HKDF-SHA256 (RFC 5869) of the key, the salt and, as info, "twinspan-s3-seal-v1" and the whole
// header: nothing in the header can be changed without all segments failing to open.
#pragma once
#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <string>

#include "engines/s3/stored/packing.hpp"
#include "engines/s3/stored/seal_key.hpp"
#include "s3/bucket.hpp"

namespace twinspan::s3 {

inline constexpr int64_t kSegmentBytes = 1 << 20;  // as stored
inline constexpr int64_t kSealHeaderBytes = 96, kSealTagBytes = 16;
inline constexpr size_t kSaltBytes = 32;
inline constexpr std::string_view kSealMagic = "TWSPSEAL";

//  0  8  "TWSPSEAL"
//  8  1  version, 1
//  9  1  Packing of what is sealed
// 10  1  logarithm of the segments' size, 20
// 11  5  zero
// 16  8  id of the key: the first bytes of its SHA-256
// 24 32  salt
// 56 32  SHA-256 of the object's name when it was sealed, below the link's prefix. Whoever renames or copies a sealed
//        object can still open it; whoever knows what it should be can tell that it was exchanged for another
// 88  8  bytes of the original, before compression, big endian
struct SealHeader {
  Packing packing = Packing::kNone;
  std::string key_id;       // 16 hex digits
  std::string salt;         // kSaltBytes
  std::string name_digest;  // SHA-256
  uint64_t original_bytes = 0;
  bool operator==(const SealHeader&) const = default;
};

// For an object named `name`. The salt comes from outside: with another content it must never be the same again.
SealHeader seal_header(const SealKey& key, Packing packing, std::string salt, std::string_view name,
                       int64_t original_bytes);
std::string new_salt();
std::string to_bytes(const SealHeader& header);
Result<SealHeader> parse_seal_header(std::string_view bytes);  // of kSealHeaderBytes

// How large `bytes` are when they are sealed.
int64_t sealed_bytes(int64_t bytes);
// Which of `bytes` bytes a part of the sealed object holds. It begins at a multiple of kSegmentBytes, and ends at one
// or at the object's end.
ByteRange sealed_content(ByteRange part, int64_t bytes);

// The segments of one object. One thread.
class SegmentCipher {
 public:
  SegmentCipher(const SealKey& key, const SealHeader& header);
  ~SegmentCipher();
  SegmentCipher(const SegmentCipher&) = delete;
  SegmentCipher& operator=(const SegmentCipher&) = delete;

  // Appends content and tag to `out`, which is larger by kSealTagBytes then.
  Status seal(uint64_t index, bool last, std::string_view content, std::string& out);
  // kInvalid: it is not what was sealed. Nothing is appended then.
  Status open(uint64_t index, bool last, std::string_view segment, std::string& out);

 private:
  struct Free {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  };
  std::string key_;
  std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
};

// A part of a sealed object by itself: what it holds of the content, sealed. `first_byte` as in the stored object.
Status seal_part(const SealKey& key, const SealHeader& header, int64_t first_byte, bool last, std::string_view content,
                 std::string& out);

}  // namespace twinspan::s3
