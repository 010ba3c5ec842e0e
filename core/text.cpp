#include "core/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twinspan {

std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t at = 0;;) {
    const size_t end = text.find(separator, at);
    parts.push_back(text.substr(at, end - at));
    if (end == std::string_view::npos) return parts;
    at = end + 1;
  }
}

std::vector<std::string_view> split_ended(std::string_view text, char end) {
  if (text.empty()) return {};
  if (text.back() == end) text.remove_suffix(1);
  return split(text, end);
}

namespace {

// Bytes of the character at the beginning of `text`; 0: it is no UTF-8.
size_t character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t size = byte(0) < 0x80 ? 1 : byte(0) >= 0xC2 && byte(0) < 0xE0 ? 2 : byte(0) < 0xF0 ? 3 : 4;
  if (byte(0) >= 0x80 && byte(0) < 0xC2) return 0;
  if (byte(0) > 0xF4 || size > text.size()) return 0;
  for (size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  return size;
}

}  // namespace

std::string one_line(std::string_view text, size_t bytes_max) {
  std::string out;
  bool space = false;
  while (!text.empty()) {
    const size_t size = character(text);
    const unsigned char first = static_cast<unsigned char>(text.front());
    const bool printable = size > 0 && first > ' ' && first != 0x7F;
    if (printable) {
      if (space && !out.empty()) out += ' ';
      if (out.size() + size > bytes_max) return out + "\u2026";
      out += text.substr(0, size);
    }
    space = !printable;
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return out;
}

void Fingerprint::add(std::string_view text) {
  for (const unsigned char byte : text) hash_ = (hash_ ^ byte) * 1099511628211u;
  hash_ = (hash_ ^ 0xff) * 1099511628211u;
}

std::string Fingerprint::hex() const { return fmt::format("{:016x}", hash_); }

}  // namespace twinspan
