// Zstandard (RFC 8878) by libzstd.
#pragma once
#include <zstd.h>

#include "engines/s3/stored/stage.hpp"

namespace twinspan::s3 {

class ZstdPacker final : public Stage {
 public:
  ZstdPacker();
  Status feed(std::string_view bytes, const Sink& out) override { return run(bytes, ZSTD_e_continue, out); }
  Status finish(const Sink& out) override { return run({}, ZSTD_e_end, out); }

 private:
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  Status run(std::string_view bytes, ZSTD_EndDirective end, const Sink& out);
  std::unique_ptr<ZSTD_CCtx, Free> context_;
};

class ZstdUnpacker final : public Stage {
 public:
  ZstdUnpacker();
  Status feed(std::string_view bytes, const Sink& out) override;
  Status finish(const Sink& out) override;

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context_;
  bool whole_ = false;  // at the end of a frame
};

}  // namespace twinspan::s3
