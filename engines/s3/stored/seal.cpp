#include "engines/s3/stored/seal.hpp"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <array>
#include <new>

#include "s3/digest.hpp"

namespace twinspan::s3 {
namespace {

constexpr char kVersion = 1, kSegmentLog = 20;
constexpr std::string_view kInfo = "twinspan-s3-seal-v1";
constexpr int64_t kFirstContent = kSegmentBytes - kSealHeaderBytes - kSealTagBytes,
                  kContent = kSegmentBytes - kSealTagBytes;

std::array<unsigned char, 12> nonce_of(uint64_t index, bool last) {
  std::array<unsigned char, 12> nonce{};
  for (int i = 0; i < 8; ++i) nonce[static_cast<size_t>(10 - i)] = static_cast<unsigned char>(index >> (8 * i));
  nonce[11] = last;
  return nonce;
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes_of(std::string& text, size_t at) { return reinterpret_cast<unsigned char*>(text.data()) + at; }

}  // namespace

SealHeader seal_header(const SealKey& key, Packing packing, std::string salt, std::string_view name,
                       int64_t original_bytes) {
  return {packing, key.id(), std::move(salt), sha256_of(name), static_cast<uint64_t>(original_bytes)};
}

std::string new_salt() {
  std::string salt(kSaltBytes, '\0');
  if (RAND_bytes(bytes_of(salt, 0), static_cast<int>(salt.size())) != 1) throw std::runtime_error("no random numbers");
  return salt;
}

std::string to_bytes(const SealHeader& header) {
  std::string bytes(kSealMagic);
  bytes += {kVersion, static_cast<char>(header.packing), kSegmentLog, 0, 0, 0, 0, 0};
  bytes += from_hex(header.key_id);
  bytes += header.salt;
  bytes += header.name_digest;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(header.original_bytes >> shift);
  return bytes;
}

Result<SealHeader> parse_seal_header(std::string_view bytes) {
  if (bytes.size() != kSealHeaderBytes || !bytes.starts_with(kSealMagic))
    return fail(Code::kInvalid,
                "not a sealed object: expected it to begin with TWSPSEAL and to have 96 bytes of header");
  const auto number = [&](size_t at) { return static_cast<unsigned char>(bytes[at]); };
  if (number(8) != kVersion || number(10) != kSegmentLog)
    return fail(Code::kInvalid, fmt::format("sealed in version {}: this program knows version 1 only", number(8)));
  SealHeader header;
  if (number(9) > static_cast<unsigned char>(Packing::kZstd))
    return fail(Code::kInvalid, fmt::format("sealed with compression {}: expected 0, 1 or 2", number(9)));
  header.packing = static_cast<Packing>(number(9));
  header.key_id = to_hex(bytes.substr(16, 8));
  header.salt = bytes.substr(24, kSaltBytes);
  header.name_digest = bytes.substr(56, 32);
  for (char c : bytes.substr(88)) header.original_bytes = header.original_bytes << 8 | static_cast<unsigned char>(c);
  if (to_bytes(header) != bytes) return fail(Code::kInvalid, "sealed object with an unknown header");
  return header;
}

int64_t sealed_bytes(int64_t bytes) {
  const int64_t beyond = std::max<int64_t>(0, bytes - kFirstContent);
  const int64_t segments = 1 + (beyond + kContent - 1) / kContent;
  return kSealHeaderBytes + bytes + segments * kSealTagBytes;
}

ByteRange sealed_content(ByteRange part, int64_t bytes) {
  const auto content_before = [&](int64_t stored) {
    return stored == 0 ? 0 : std::min(bytes, stored - kSealHeaderBytes - stored / kSegmentBytes * kSealTagBytes);
  };
  const int64_t first = content_before(part.first), end = part.first + part.size_bytes;
  return {first, (end >= sealed_bytes(bytes) ? bytes : content_before(end)) - first};
}

SegmentCipher::SegmentCipher(const SealKey& key, const SealHeader& header) : context_(EVP_CIPHER_CTX_new()) {
  if (!context_) throw std::bad_alloc();
  // One block of HKDF-Expand is all that 32 bytes take.
  key_ = hmac_sha256(hmac_sha256(header.salt, key.bytes()), std::string(kInfo) + to_bytes(header) + '\x01');
}

SegmentCipher::~SegmentCipher() { OPENSSL_cleanse(key_.data(), key_.size()); }

Status SegmentCipher::seal(uint64_t index, bool last, std::string_view content, std::string& out) {
  const auto nonce = nonce_of(index, last);
  const size_t at = out.size();
  out.resize(at + content.size() + kSealTagBytes);
  int size = 0, rest = 0;
  if (EVP_EncryptInit_ex(context_.get(), EVP_aes_256_gcm(), nullptr, bytes_of(key_), nonce.data()) != 1 ||
      EVP_EncryptUpdate(context_.get(), bytes_of(out, at), &size, bytes_of(content),
                        static_cast<int>(content.size())) != 1 ||
      EVP_EncryptFinal_ex(context_.get(), bytes_of(out, at + content.size()), &rest) != 1 ||
      EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_GCM_GET_TAG, kSealTagBytes, bytes_of(out, at + content.size())) != 1)
    return fail(Code::kInternal, "AES-256-GCM failed");
  return {};
}

Status SegmentCipher::open(uint64_t index, bool last, std::string_view segment, std::string& out) {
  const auto changed = [&] {
    return fail(Code::kInvalid,
                fmt::format("segment {} does not open: the object was changed or cut off, or the key is "
                            "another",
                            index));
  };
  if (segment.size() < kSealTagBytes) return changed();
  const auto nonce = nonce_of(index, last);
  const std::string_view content = segment.substr(0, segment.size() - kSealTagBytes);
  std::string tag(segment.substr(content.size()));
  const size_t at = out.size();
  out.resize(at + content.size() + kSealTagBytes);  // never empty: there is somewhere to write to
  int size = 0, rest = 0;
  const bool done = EVP_DecryptInit_ex(context_.get(), EVP_aes_256_gcm(), nullptr, bytes_of(key_), nonce.data()) == 1 &&
                    EVP_DecryptUpdate(context_.get(), bytes_of(out, at), &size, bytes_of(content),
                                      static_cast<int>(content.size())) == 1 &&
                    EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_GCM_SET_TAG, kSealTagBytes, tag.data()) == 1 &&
                    EVP_DecryptFinal_ex(context_.get(), bytes_of(out, at + content.size()), &rest) == 1;
  out.resize(done ? at + content.size() : at);
  return done ? Status{} : changed();
}

Status seal_part(const SealKey& key, const SealHeader& header, int64_t first_byte, bool last, std::string_view content,
                 std::string& out) {
  SegmentCipher cipher(key, header);
  if (first_byte == 0) out += to_bytes(header);
  uint64_t index = static_cast<uint64_t>(first_byte / kSegmentBytes);
  do {
    const auto size = static_cast<size_t>(index == 0 ? kFirstContent : kContent);
    const std::string_view segment = content.substr(0, size);
    content.remove_prefix(segment.size());
    if (Status sealed = cipher.seal(index, last && content.empty(), segment, out); !sealed) return sealed;
    ++index;
  } while (!content.empty());
  return {};
}

}  // namespace twinspan::s3
