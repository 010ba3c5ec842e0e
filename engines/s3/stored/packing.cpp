#include "engines/s3/stored/packing.hpp"

#include "engines/s3/stored/gzip.hpp"
#include "engines/s3/stored/zstd.hpp"

namespace twinspan::s3 {

std::string_view to_string(Packing packing) {
  switch (packing) {
    case Packing::kNone: return "";
    case Packing::kGzip: return "gzip";
    case Packing::kZstd: return "zstd";
  }
  return "";
}

std::optional<Packing> parse_packing(std::string_view text) {
  for (Packing packing : {Packing::kNone, Packing::kGzip, Packing::kZstd})
    if (text == to_string(packing)) return packing;
  return std::nullopt;
}

std::unique_ptr<Stage> make_packer(Packing packing) {
  if (packing == Packing::kGzip) return std::make_unique<GzipPacker>();
  if (packing == Packing::kZstd) return std::make_unique<ZstdPacker>();
  return nullptr;
}

std::unique_ptr<Stage> make_unpacker(Packing packing) {
  if (packing == Packing::kGzip) return std::make_unique<GzipUnpacker>();
  if (packing == Packing::kZstd) return std::make_unique<ZstdUnpacker>();
  return nullptr;
}

int64_t packed_bytes_max(Packing packing, int64_t bytes) {
  return packing == Packing::kNone ? bytes : bytes + bytes / 256 + 1024;
}

}  // namespace twinspan::s3
