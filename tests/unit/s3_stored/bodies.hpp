// Contents to be stored, and stages run to their ends.
#pragma once
#include <gtest/gtest.h>

#include "engines/s3/stored/form.hpp"
#include "engines/s3/stored/opener.hpp"

namespace twinspan::s3 {

inline std::string content_of(size_t bytes) {
  std::string content(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) content[i] = static_cast<char>(i * 131 + (i >> 8) * 17);
  return content;
}

inline std::string noise(size_t bytes) {  // which doesn't get smaller
  std::string out(bytes, '\0');
  uint64_t state = 88172645463325252u;
  for (char& c : out) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    c = static_cast<char>(state);
  }
  return out;
}

inline std::shared_ptr<const SealKey> key_of(char first = 0) {
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes += static_cast<char>(first + i);
  return std::make_shared<const SealKey>(bytes);
}

inline std::string salt_of(char first = 100) {
  std::string salt;
  for (int i = 0; i < 32; ++i) salt += static_cast<char>(first + i);
  return salt;
}

// What comes out when `bytes` is fed in pieces of `piece` bytes.
inline Result<std::string> through(Stage& stage, std::string_view bytes, size_t piece = 100'003) {
  std::string out;
  const Sink sink = [&](std::string_view some) -> Status {
    out += some;
    return {};
  };
  for (size_t at = 0; at < bytes.size(); at += piece)
    if (Status fed = stage.feed(bytes.substr(at, piece), sink); !fed) return std::unexpected(fed.error());
  if (Status finished = stage.finish(sink); !finished) return std::unexpected(finished.error());
  return out;
}

inline std::string stored_as(const StoredForm& form, std::string_view content, std::string_view name = "daily/a b",
                             size_t piece = 100'003) {
  const auto stages = form.stages(name, static_cast<int64_t>(content.size()), salt_of());
  auto out = through(*stages, content, piece);
  EXPECT_TRUE(out) << out.error().message;
  return out.value_or("");
}

inline Result<std::string> opened(std::string_view stored, OpenerConfig config = {key_of()}, size_t piece = 100'003) {
  Opener opener(std::move(config));
  return through(opener, stored, piece);
}

}  // namespace twinspan::s3
