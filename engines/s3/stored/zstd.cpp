#include "engines/s3/stored/zstd.hpp"

#include <new>
#include <string>

namespace twinspan::s3 {
namespace {

constexpr size_t kPiece = 256 << 10;
constexpr int kLevel = 3, kWindowLogMax = 23;  // level 3 uses 21

}  // namespace

ZstdPacker::ZstdPacker() : context_(ZSTD_createCCtx()) {
  if (!context_) throw std::bad_alloc();
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
}

Status ZstdPacker::run(std::string_view bytes, ZSTD_EndDirective end, const Sink& out) {
  const auto piece = std::make_unique_for_overwrite<char[]>(kPiece);
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  for (;;) {
    ZSTD_outBuffer to{piece.get(), kPiece, 0};
    const size_t left = ZSTD_compressStream2(context_.get(), &to, &in, end);
    if (ZSTD_isError(left)) return fail(Code::kInternal, std::string("zstd: ") + ZSTD_getErrorName(left));
    if (to.pos > 0)
      if (Status taken = out({piece.get(), to.pos}); !taken) return taken;
    if (end == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
  }
}

ZstdUnpacker::ZstdUnpacker() : context_(ZSTD_createDCtx()) {
  if (!context_) throw std::bad_alloc();
  ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kWindowLogMax);
}

Status ZstdUnpacker::feed(std::string_view bytes, const Sink& out) {
  const auto piece = std::make_unique_for_overwrite<char[]>(kPiece);
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  for (;;) {
    ZSTD_outBuffer to{piece.get(), kPiece, 0};
    const size_t before = in.pos;
    const size_t left = ZSTD_decompressStream(context_.get(), &to, &in);
    if (ZSTD_isError(left)) return fail(Code::kInvalid, std::string("zstd: ") + ZSTD_getErrorName(left));
    if (to.pos > 0)
      if (Status taken = out({piece.get(), to.pos}); !taken) return taken;
    if (in.pos > before || to.pos > 0) whole_ = left == 0;
    if (in.pos == in.size && to.pos < kPiece) return {};
  }
}

Status ZstdUnpacker::finish(const Sink&) {
  if (!whole_) return fail(Code::kInvalid, "zstd: cut off before its end");
  return {};
}

}  // namespace twinspan::s3
