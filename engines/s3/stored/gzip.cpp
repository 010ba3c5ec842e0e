#include "engines/s3/stored/gzip.hpp"

#include <array>
#include <limits>
#include <new>

namespace twinspan::s3 {
namespace {

constexpr size_t kPiece = 256 << 10;
constexpr int kGzipWindow = 15 + 16;  // the largest window, with gzip's header and checksum

// zlib counts in 32 bits: what is fed at once never comes near.
void give(z_stream& stream, std::string_view bytes) {
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
}

}  // namespace

GzipPacker::GzipPacker() {
  if (deflateInit2(&stream_, 6, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
}

GzipPacker::~GzipPacker() { deflateEnd(&stream_); }

Status GzipPacker::run(std::string_view bytes, int flush, const Sink& out) {
  const auto piece = std::make_unique_for_overwrite<char[]>(kPiece);
  give(stream_, bytes);
  for (;;) {
    stream_.next_out = reinterpret_cast<Bytef*>(piece.get());
    stream_.avail_out = kPiece;
    const int result = deflate(&stream_, flush);
    if (result == Z_STREAM_ERROR) return fail(Code::kInternal, "gzip: deflate failed");
    if (const size_t size = kPiece - stream_.avail_out; size > 0)
      if (Status taken = out({piece.get(), size}); !taken) return taken;
    if (stream_.avail_out > 0) return {};  // all that was fed is taken, and at the end all is out
  }
}

GzipUnpacker::GzipUnpacker() {
  if (inflateInit2(&stream_, kGzipWindow) != Z_OK) throw std::bad_alloc();
}

GzipUnpacker::~GzipUnpacker() { inflateEnd(&stream_); }

Status GzipUnpacker::feed(std::string_view bytes, const Sink& out) {
  const auto piece = std::make_unique_for_overwrite<char[]>(kPiece);
  give(stream_, bytes);
  do {
    if (whole_ && stream_.avail_in > 0) {
      inflateReset(&stream_);
      whole_ = false;
    }
    stream_.next_out = reinterpret_cast<Bytef*>(piece.get());
    stream_.avail_out = kPiece;
    const int result = inflate(&stream_, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
      return fail(Code::kInvalid, std::string("gzip: ") + (stream_.msg ? stream_.msg : "not readable"));
    if (const size_t size = kPiece - stream_.avail_out; size > 0)
      if (Status taken = out({piece.get(), size}); !taken) return taken;
    whole_ = result == Z_STREAM_END;
  } while (stream_.avail_in > 0 || (stream_.avail_out == 0 && !whole_));
  return {};
}

Status GzipUnpacker::finish(const Sink&) {
  if (!whole_) return fail(Code::kInvalid, "gzip: cut off before its end");
  return {};
}

}  // namespace twinspan::s3
