// Text, whatever the locale.
#pragma once
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace twinspan {

// Into what `text` points to, without the character. "a,b," has three parts that a comma separates, the last one empty,
// and two that a comma ends; the last of these may lack its end.
std::vector<std::string_view> split(std::string_view text, char separator);
std::vector<std::string_view> split_ended(std::string_view text, char end);
inline std::vector<std::string_view> split_lines(std::string_view text) { return split_ended(text, '\n'); }

// All of `text` as a number, in digits of that base and without a sign of its own but -; false: it is none.
template <class Number>
bool read_number(std::string_view text, Number& number, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size();
}

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
