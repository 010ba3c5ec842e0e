// Compression of an object as a stream that the usual programs read: gunzip, zstd -d.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "engines/s3/stored/stage.hpp"

namespace twinspan::s3 {

enum class Packing : uint8_t { kNone = 0, kGzip = 1, kZstd = 2 };  // the numbers are those of the seal's header

std::string_view to_string(Packing packing);  // as Content-Encoding has it; kNone: ""
std::optional<Packing> parse_packing(std::string_view text);

// Level 6 of gzip, level 3 of zstd with its checksum. nullptr for kNone.
std::unique_ptr<Stage> make_packer(Packing packing);
// Several streams one after the other are read as one, as gunzip and zstd do; anything else behind the end is kInvalid,
// and so is a stream that is cut off. At most 8 MiB (zstd) of window.
std::unique_ptr<Stage> make_unpacker(Packing packing);
// No more than this comes out of `bytes` bytes, whatever they are.
int64_t packed_bytes_max(Packing packing, int64_t bytes);

}  // namespace twinspan::s3
