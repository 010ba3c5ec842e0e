#include "kafka/codec.hpp"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <new>

#include "kafka/wire.hpp"

namespace twinspan::kafka {
namespace {

constexpr size_t kFirstRoom = 256 << 10;  // of what is unpacked, before more is known
constexpr size_t kKept = 8 << 20;         // of a buffer, between batches
constexpr size_t kFrameBytes = 32 << 10;  // what Java's client compresses at once
constexpr int kGzipWindow = 15 | 16;      // with gzip's head and checksum
constexpr std::string_view kJavaSnappy("\x82SNAPPY\0", 8);
constexpr size_t kJavaSnappyHead = 16;  // the above, a version, and the oldest one that can read it

// A copy of 64 bytes takes three.
constexpr size_t most_of_snappy(size_t packed) { return packed * 22 + 64; }

struct Deleter {
  void operator()(ZSTD_DCtx* one) const { ZSTD_freeDCtx(one); }
  void operator()(ZSTD_CCtx* one) const { ZSTD_freeCCtx(one); }
  void operator()(LZ4F_dctx* one) const { LZ4F_freeDecompressionContext(one); }
  void operator()(LZ4F_cctx* one) const { LZ4F_freeCompressionContext(one); }
};

template <class T>
T* there(T* one) {
  if (!one) throw std::bad_alloc();
  return one;
}

class Inflate {
 public:
  Inflate() {
    if (inflateInit2(&stream, kGzipWindow) != Z_OK) throw std::bad_alloc();
  }
  ~Inflate() { inflateEnd(&stream); }
  Inflate(const Inflate&) = delete;
  Inflate& operator=(const Inflate&) = delete;
  z_stream stream{};
};

class Deflate {
 public:
  Deflate() {
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  ~Deflate() { deflateEnd(&stream); }
  Deflate(const Deflate&) = delete;
  Deflate& operator=(const Deflate&) = delete;
  z_stream stream{};
};

}  // namespace

struct Unpacker::States {
  std::unique_ptr<Inflate> inflate;
  std::unique_ptr<ZSTD_DCtx, Deleter> zstd;
  std::unique_ptr<LZ4F_dctx, Deleter> lz4;
  std::string buffer;

  // One step: takes from `in`, writes to where it may. done: a frame ended. Nothing is left half.
  struct Step {
    size_t taken = 0, written = 0;
    bool done = false, failed = false;
  };
  template <class Next>
  Found stream(std::string_view in, size_t most, size_t& size, Next&& next);
  Found gzip(std::string_view in, size_t most, size_t& size);
  Found snappy(std::string_view in, size_t most, size_t& size);
  Found snappy_frame(std::string_view in, size_t most, size_t& size);
  Found lz4_frames(std::string_view in, size_t most, size_t& size);
  Found zstd_frames(std::string_view in, size_t most, size_t& size);
  void room(size_t bytes) {
    if (buffer.size() < bytes) buffer.resize(bytes);
  }
};

// Frames one after another, until all was taken. The buffer is doubled while something comes.
template <class Next>
Unpacker::Found Unpacker::States::stream(std::string_view in, size_t most, size_t& size, Next&& next) {
  room(std::min(most + 1, kFirstRoom));
  bool ended = false;
  while (!in.empty() || !ended) {
    if (size > most) return Found::kTooLarge;
    if (size == buffer.size()) room(std::min(most + 1, 2 * buffer.size()));
    const Step step = next(in, buffer.data() + size, std::min(buffer.size(), most + 1) - size);
    if (step.failed || (step.taken == 0 && step.written == 0 && !step.done)) return Found::kCorrupt;
    in.remove_prefix(step.taken);
    size += step.written;
    ended = step.done;
  }
  return size > most ? Found::kTooLarge : Found::kDone;
}

Unpacker::Found Unpacker::States::gzip(std::string_view in, size_t most, size_t& size) {
  if (!inflate) inflate = std::make_unique<Inflate>();
  z_stream& z = inflate->stream;
  inflateReset(&z);
  return stream(in, most, size, [&](std::string_view left, char* out, size_t space) {
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(left.data()));
    z.avail_in = static_cast<uInt>(left.size());
    z.next_out = reinterpret_cast<Bytef*>(out);
    z.avail_out = static_cast<uInt>(space);
    const int said = ::inflate(&z, Z_NO_FLUSH);
    const Step step{left.size() - z.avail_in, space - z.avail_out, said == Z_STREAM_END,
                    said != Z_OK && said != Z_STREAM_END && said != Z_BUF_ERROR};
    if (step.done) inflateReset(&z);
    return step;
  });
}

Unpacker::Found Unpacker::States::lz4_frames(std::string_view in, size_t most, size_t& size) {
  if (!lz4) {
    LZ4F_dctx* made = nullptr;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&made, LZ4F_VERSION))) throw std::bad_alloc();
    lz4.reset(made);
  }
  LZ4F_resetDecompressionContext(lz4.get());
  return stream(in, most, size, [&](std::string_view left, char* out, size_t space) {
    size_t taken = left.size(), written = space;
    const size_t said = LZ4F_decompress(lz4.get(), out, &written, left.data(), &taken, nullptr);
    return Step{taken, written, said == 0, LZ4F_isError(said) != 0};
  });
}

Unpacker::Found Unpacker::States::zstd_frames(std::string_view in, size_t most, size_t& size) {
  // The library reserves a window as large as the frame's head says, 128 MiB at most, and touches what is filled.
  if (!zstd || ZSTD_sizeof_DCtx(zstd.get()) > kKept) zstd.reset(there(ZSTD_createDCtx()));
  ZSTD_DCtx_reset(zstd.get(), ZSTD_reset_session_only);
  return stream(in, most, size, [&](std::string_view left, char* out, size_t space) {
    ZSTD_inBuffer from{left.data(), left.size(), 0};
    ZSTD_outBuffer to{out, space, 0};
    const size_t said = ZSTD_decompressStream(zstd.get(), &to, &from);
    return Step{from.pos, to.pos, said == 0, ZSTD_isError(said) != 0};
  });
}

Unpacker::Found Unpacker::States::snappy_frame(std::string_view in, size_t most, size_t& size) {
  size_t claimed = 0;
  if (!::snappy::GetUncompressedLength(in.data(), in.size(), &claimed)) return Found::kCorrupt;
  if (claimed > most_of_snappy(in.size())) return Found::kCorrupt;
  if (claimed > most - size) return Found::kTooLarge;
  room(size + claimed);
  if (!::snappy::RawUncompress(in.data(), in.size(), buffer.data() + size)) return Found::kCorrupt;
  size += claimed;
  return Found::kDone;
}

Unpacker::Found Unpacker::States::snappy(std::string_view in, size_t most, size_t& size) {
  if (!in.starts_with(kJavaSnappy)) return snappy_frame(in, most, size);
  if (in.size() < kJavaSnappyHead) return Found::kCorrupt;
  in.remove_prefix(kJavaSnappyHead);
  while (!in.empty()) {
    if (in.size() < 4) return Found::kCorrupt;
    const auto length = load<uint32_t>(in.data());
    in.remove_prefix(4);
    if (length > in.size()) return Found::kCorrupt;
    const Found found = snappy_frame(in.substr(0, length), most, size);
    if (found != Found::kDone) return found;
    in.remove_prefix(length);
  }
  return Found::kDone;
}

Unpacker::Unpacker() : states_(std::make_unique<States>()) {}
Unpacker::~Unpacker() = default;
Unpacker::Unpacker(Unpacker&&) noexcept = default;
Unpacker& Unpacker::operator=(Unpacker&&) noexcept = default;

Unpacker::Found Unpacker::unpack(int codec, std::string_view body, size_t most, std::string_view& out) {
  out = {};
  if (codec == kNoCodec) {
    if (body.size() > most) return Found::kTooLarge;
    out = body;
    return Found::kDone;
  }
  States& states = *states_;
  if (states.buffer.size() > kKept) std::string().swap(states.buffer);
  size_t size = 0;
  Found found = Found::kUnknownCodec;
  switch (codec) {
    case kGzip: found = states.gzip(body, most, size); break;
    case kSnappy: found = states.snappy(body, most, size); break;
    case kLz4: found = states.lz4_frames(body, most, size); break;
    case kZstd: found = states.zstd_frames(body, most, size); break;
    default: break;
  }
  if (found == Found::kDone) out = std::string_view(states.buffer).substr(0, size);
  return found;
}

struct Packer::States {
  std::unique_ptr<Deflate> deflate;
  std::unique_ptr<ZSTD_CCtx, Deleter> zstd;
  std::unique_ptr<LZ4F_cctx, Deleter> lz4;
};

namespace {

// With room for `most` bytes more, of which write() says how many it used.
template <class Write>
void append(std::string& out, size_t most, Write&& write) {
  const size_t before = out.size();
  out.resize(before + most);
  out.resize(before + write(out.data() + before));
}

size_t gzip(Deflate& state, std::string_view body, char* out, size_t space) {
  z_stream& z = state.stream;
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  z.avail_in = static_cast<uInt>(body.size());
  z.next_out = reinterpret_cast<Bytef*>(out);
  z.avail_out = static_cast<uInt>(space);
  if (deflate(&z, Z_FINISH) != Z_STREAM_END) throw std::bad_alloc();
  return space - z.avail_out;
}

void java_snappy(std::string_view body, std::string& out) {
  Writer head(out);
  head.append(kJavaSnappy);
  head.put(int32_t{1});
  head.put(int32_t{1});
  while (!body.empty()) {
    const std::string_view frame = body.substr(0, kFrameBytes);
    body.remove_prefix(frame.size());
    append(out, 4 + snappy::MaxCompressedLength(frame.size()), [&](char* at) {
      size_t size = 0;
      snappy::RawCompress(frame.data(), frame.size(), at + 4, &size);
      store(at, static_cast<int32_t>(size));
      return size + 4;
    });
  }
}

}  // namespace

Packer::Packer() : states_(std::make_unique<States>()) {}
Packer::~Packer() = default;
Packer::Packer(Packer&&) noexcept = default;
Packer& Packer::operator=(Packer&&) noexcept = default;

void Packer::pack(int codec, std::string_view body, std::string& out) {
  const auto fine = [](size_t said, bool error) {
    if (error) throw std::bad_alloc();  // with that much room nothing else can be wrong
    return said;
  };
  States& states = *states_;
  switch (codec) {
    case kGzip: {
      if (!states.deflate) states.deflate = std::make_unique<Deflate>();
      deflateReset(&states.deflate->stream);  // first: of a stream that has ended the bound is too low
      const size_t most = deflateBound(&states.deflate->stream, body.size());
      return append(out, most, [&](char* at) { return gzip(*states.deflate, body, at, most); });
    }
    case kSnappy: return java_snappy(body, out);
    case kLz4: {
      if (!states.lz4) {
        LZ4F_cctx* made = nullptr;
        if (LZ4F_isError(LZ4F_createCompressionContext(&made, LZ4F_VERSION))) throw std::bad_alloc();
        states.lz4.reset(made);
      }
      LZ4F_preferences_t how{};
      how.frameInfo.blockMode = LZ4F_blockIndependent;  // Java's client reads no other
      how.frameInfo.blockSizeID = LZ4F_max64KB;
      how.autoFlush = 1;
      const size_t most = LZ4F_HEADER_SIZE_MAX + LZ4F_compressBound(body.size(), &how);
      return append(out, most, [&](char* at) {
        size_t size = LZ4F_compressBegin(states.lz4.get(), at, most, &how);
        size = fine(size, LZ4F_isError(size));
        size_t said = LZ4F_compressUpdate(states.lz4.get(), at + size, most - size, body.data(), body.size(), nullptr);
        size += fine(said, LZ4F_isError(said));
        said = LZ4F_compressEnd(states.lz4.get(), at + size, most - size, nullptr);
        return size + fine(said, LZ4F_isError(said));
      });
    }
    case kZstd: {
      if (!states.zstd) states.zstd.reset(there(ZSTD_createCCtx()));
      const size_t most = ZSTD_compressBound(body.size());
      return append(out, most, [&](char* at) {
        const size_t said = ZSTD_compress2(states.zstd.get(), at, most, body.data(), body.size());
        return fine(said, ZSTD_isError(said));
      });
    }
    default: out.append(body);
  }
}

}  // namespace twinspan::kafka
