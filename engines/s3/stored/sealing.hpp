// Sealing and opening as stages: one segment in memory.
#pragma once
#include <string>

#include "engines/s3/stored/seal.hpp"

namespace twinspan::s3 {

class Sealer final : public Stage {
 public:
  Sealer(const SealKey& key, const SealHeader& header) : cipher_(key, header), header_(to_bytes(header)) {}
  Status feed(std::string_view bytes, const Sink& out) override;
  Status finish(const Sink& out) override;

 private:
  Status emit(bool last, const Sink& out);
  SegmentCipher cipher_;
  const std::string header_;
  uint64_t index_ = 0;
  std::string content_, sealed_;
};

// Of the segments, without the header. Hands out nothing that was not proven to be what was sealed.
class Unsealer final : public Stage {
 public:
  Unsealer(const SealKey& key, const SealHeader& header) : cipher_(key, header) {}
  Status feed(std::string_view bytes, const Sink& out) override;
  Status finish(const Sink& out) override;

 private:
  Status emit(bool last, const Sink& out);
  SegmentCipher cipher_;
  uint64_t index_ = 0;
  std::string segment_, content_;
};

}  // namespace twinspan::s3
