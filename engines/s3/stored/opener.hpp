// From what is stored back to the original, whatever was done to it.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "engines/s3/stored/seal.hpp"

namespace twinspan::s3 {

struct OpenerConfig {
  std::shared_ptr<const SealKey> key{};     // nullptr: there is none
  std::optional<std::string> name{};        // what it must have been sealed as; absent: anything, sealed or not
  std::optional<Packing> if_not_sealed{};   // how it is compressed then; absent: as its first bytes say
  std::optional<int64_t> original_bytes{};  // what must come out; absent: for sealed objects what their header says
};

// A sealed object is known by its first bytes, and says itself how it was compressed. Of one that is not sealed, one
// layer of gzip or zstd is taken off where there is one. What was handed out before an error was proven, but is not
// whole (sealed), or is not to be trusted (compressed only).
class Opener final : public Stage {
 public:
  explicit Opener(OpenerConfig config) : config_(std::move(config)) {}
  Status feed(std::string_view bytes, const Sink& out) override;
  Status finish(const Sink& out) override;
  const std::optional<SealHeader>& header() const { return header_; }  // once it was read, where it is sealed

 private:
  Status begin(bool all, const Sink& out);
  Status begin_sealed();
  Sink counted(const Sink& out);

  const OpenerConfig config_;
  std::string head_;  // until enough is there to know what it is
  bool begun_ = false;
  std::optional<SealHeader> header_;
  Pipeline stages_;
  int64_t original_bytes_ = 0;  // that came out
};

}  // namespace twinspan::s3
