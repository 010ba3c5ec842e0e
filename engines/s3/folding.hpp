// Keys that servers which keep objects as files take for other keys: "a//b" and "a/./b" for "a/b", "a/../b" for "b",
// "/a" for "a". Written there, the one would replace the other.
#pragma once
#include <array>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/guarded.hpp"
#include "s3/bucket.hpp"

namespace twinspan::s3 {

enum class Oddity { kSlashes, kDot, kDots, kLeadingSlash };

// What a path might lose of it. Empty for nearly all keys.
std::vector<Oddity> oddities(std::string_view key);

// What one bucket does with such keys: asked of the server when the first of a kind turns up, and remembered.
class Folding {
 public:
  // `link` names a small object of our own by which it is found out.
  Folding(Bucket& bucket, std::string link) : bucket_(bucket), link_(std::move(link)) {}

  // True: the bucket takes `key`, with its prefix, for another one. Any thread.
  Result<bool> folds(std::string_view key, const std::stop_token& stop);

 private:
  Result<bool> ask(Oddity oddity, const std::stop_token& stop);

  Bucket& bucket_;
  const std::string link_;
  Mutex mutex_;
  std::array<std::optional<bool>, 4> known_ GUARDED_BY(mutex_);  // by oddity
};

}  // namespace twinspan::s3
