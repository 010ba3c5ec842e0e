// Text, whatever the locale.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace twinspan {

std::vector<std::string_view> split_lines(std::string_view text);  // without their ends; of what `text` points to

std::string to_lower(std::string_view text);  // of ASCII letters; every other byte stays

// What somebody else wrote, for a message: in one line, without what can't be printed, in UTF-8, at most so many bytes.
std::string one_line(std::string_view text, size_t bytes_max);

// Tells one list of texts from another, in 16 digits (FNV-1a). Two programs may compare theirs; no proof against
// malice.
class Fingerprint {
 public:
  void add(std::string_view text);
  std::string hex() const;

 private:
  uint64_t hash_ = 14695981039346656037u;
};

}  // namespace twinspan
