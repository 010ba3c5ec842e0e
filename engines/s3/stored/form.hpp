// In which form a link's targets keep objects, and the marks by which a copy says in which it is.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "engines/s3/stored/seal.hpp"

namespace twinspan::s3 {

// User metadata of copies that are not the original's bytes.
inline constexpr std::string_view kStoredName = "twinspan-stored";           // "gzip", "seal:KEYID", "zstd+seal:KEYID"
inline constexpr std::string_view kSourceSizeName = "twinspan-source-size";  // bytes of the original
inline constexpr std::string_view kSealEncoding = "twinspan-aes256gcm";      // in Content-Encoding

struct StoredForm {
  Packing packing = Packing::kNone;
  std::shared_ptr<const SealKey> key{};  // nullptr: not sealed
  bool plain() const { return packing == Packing::kNone && !key; }
  std::string mark() const;  // what kStoredName says of copies in this form; empty: plain
  // How large the copy of `bytes` bytes is; nullopt: compression tells only afterwards.
  std::optional<int64_t> stored_bytes(int64_t bytes) const;
  int64_t stored_bytes_max(int64_t bytes) const;
  // The stages that bring an original of that name and size into this form. `salt` is for sealing.
  std::unique_ptr<Stage> stages(std::string_view name, int64_t bytes, std::string salt) const;
};

// What a copy's metadata says of it. nullopt: it is stored plain.
struct StoredMark {
  std::string form;  // as StoredForm::mark()
  Packing packing = Packing::kNone;
  bool sealed = false;
  int64_t source_bytes = 0;
};
std::optional<StoredMark> stored_mark(const Metadata& metadata);

// The metadata of a copy in this form: marks, and what Content-Encoding has to say.
Metadata marked(Metadata original, const StoredForm& form, int64_t source_bytes);
// What the original had: without marks of any kind, but for user metadata that isn't ours.
Metadata unmarked(Metadata copy);

}  // namespace twinspan::s3
