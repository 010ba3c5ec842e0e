// The key that objects are sealed with.
#pragma once
#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace twinspan::s3 {

// 32 bytes, wiped from memory when they go. Never shown: id() is what logs, marks and headers have.
class SealKey {
 public:
  // What a file or a Secret holds: 32 bytes as they are, or their Base64 (44 characters, white space around them
  // ignored). kInvalid says what was expected and never what was there.
  static Result<std::shared_ptr<const SealKey>> parse(std::string_view text);
  explicit SealKey(std::string_view bytes);  // of 32 bytes
  ~SealKey();
  SealKey(const SealKey&) = delete;
  SealKey& operator=(const SealKey&) = delete;

  std::string_view bytes() const { return {bytes_.data(), bytes_.size()}; }
  const std::string& id() const { return id_; }  // the first 8 bytes of its SHA-256, in hex

 private:
  std::array<char, 32> bytes_;
  std::string id_;
};

}  // namespace twinspan::s3
