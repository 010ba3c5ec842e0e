// gzip (RFC 1952) by zlib.
#pragma once
#include <zlib.h>

#include "engines/s3/stored/stage.hpp"

namespace twinspan::s3 {

class GzipPacker final : public Stage {
 public:
  GzipPacker();
  ~GzipPacker() override;
  GzipPacker(const GzipPacker&) = delete;
  GzipPacker& operator=(const GzipPacker&) = delete;
  Status feed(std::string_view bytes, const Sink& out) override { return run(bytes, Z_NO_FLUSH, out); }
  Status finish(const Sink& out) override { return run({}, Z_FINISH, out); }

 private:
  Status run(std::string_view bytes, int flush, const Sink& out);
  z_stream stream_{};
};

class GzipUnpacker final : public Stage {
 public:
  GzipUnpacker();
  ~GzipUnpacker() override;
  GzipUnpacker(const GzipUnpacker&) = delete;
  GzipUnpacker& operator=(const GzipUnpacker&) = delete;
  Status feed(std::string_view bytes, const Sink& out) override;
  Status finish(const Sink& out) override;

 private:
  z_stream stream_{};
  bool whole_ = false;  // at the end of a stream
};

}  // namespace twinspan::s3
