// How a batch's records are compressed: gzip, snappy (raw, and in the frames of Java's clients), lz4 frames, zstd.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace twinspan::kafka {

// By their numbers in a batch's attributes.
inline constexpr int kNoCodec = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4;

// Keeps the libraries' states and a buffer between batches. For one thread.
class Unpacker {
 public:
  enum class Found {
    kDone,
    kTooLarge,      // more than `most` bytes
    kCorrupt,       // not whole, or not of that codec
    kUnknownCodec,  // of a number that has no meaning yet
  };

  Unpacker();
  ~Unpacker();
  Unpacker(Unpacker&&) noexcept;
  Unpacker& operator=(Unpacker&&) noexcept;

  // Memory grows with what was really unpacked, never by what a header claims. `out` is valid until the next call, and
  // as long as `body` is.
  Found unpack(int codec, std::string_view body, size_t most, std::string_view& out);

 private:
  struct States;
  std::unique_ptr<States> states_;
};

class Packer {
 public:
  Packer();
  ~Packer();
  Packer(Packer&&) noexcept;
  Packer& operator=(Packer&&) noexcept;

  // Appends to `out`, by one of the numbers above, so that Java's clients and librdkafka read it: snappy in Java's
  // frames, lz4 in one frame of blocks that stand alone, each codec at its usual level.
  void pack(int codec, std::string_view body, std::string& out);

 private:
  struct States;
  std::unique_ptr<States> states_;
};

}  // namespace twinspan::kafka
