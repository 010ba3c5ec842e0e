// Kafka's primitive types on the wire (https://kafka.apache.org/protocol#protocol_types): big-endian numbers; lengths
// as numbers, or, in flexible versions, as variable ones that are greater by one, so that 0 is null.
#pragma once
#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "kafka/errors.hpp"

namespace twinspan::kafka {

using Uuid = std::array<unsigned char, 16>;  // all zeros: none

// An API's key, the versions of it that this client writes and reads, and the first one that is flexible.
struct ApiRange {
  int16_t key, min, max, flexible;
};

template <class T>
concept WireNumber = std::integral<T> || std::is_enum_v<T>;

// Numbers as they lie on the wire, at places that need not be aligned.
template <std::integral T>
T load(const char* at) {
  std::make_unsigned_t<T> raw;
  std::memcpy(&raw, at, sizeof raw);
  if constexpr (std::endian::native == std::endian::little && sizeof raw == 2) raw = __builtin_bswap16(raw);
  if constexpr (std::endian::native == std::endian::little && sizeof raw == 4) raw = __builtin_bswap32(raw);
  if constexpr (std::endian::native == std::endian::little && sizeof raw == 8) raw = __builtin_bswap64(raw);
  return static_cast<T>(raw);
}
template <std::integral T>
void store(char* at, T value) {
  const T swapped = load<T>(reinterpret_cast<const char*>(&value));
  std::memcpy(at, &swapped, sizeof swapped);
}

// Appends to a string that the caller keeps.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  template <WireNumber T>
  void put(T value) {
    if constexpr (std::is_enum_v<T>) {
      put(static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (sizeof(T) == 1) {
      out_.push_back(static_cast<char>(value));
    } else {
      char raw[sizeof(T)];
      store(raw, value);
      out_.append(raw, sizeof raw);
    }
  }
  void put(const Uuid& id) { out_.append(reinterpret_cast<const char*>(id.data()), id.size()); }
  void uvarint(uint64_t value);
  void varint(int64_t value) { uvarint(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63)); }
  void append(std::string_view raw) { out_.append(raw); }
  void string(std::string_view text, bool flexible);
  void string_or_null(const std::optional<std::string>& text, bool flexible);
  void bytes(std::string_view raw, bool flexible);
  void count(size_t size, bool flexible);
  void null_array(bool flexible);
  void tag(uint64_t number, std::string_view inside);

 private:
  std::string& out_;
};

// Never reads beyond its bytes. Once something was not there or not right, it has failed and gives zeros from then on.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <WireNumber T>
  void take(T& value) {
    if constexpr (std::is_enum_v<T>) {
      std::underlying_type_t<T> raw;
      take(raw);
      value = static_cast<T>(raw);
    } else if constexpr (std::same_as<T, bool>) {
      const std::string_view raw = raw_bytes(1);
      value = !raw.empty() && raw[0] != 0;
    } else if constexpr (sizeof(T) == 1) {
      const std::string_view raw = raw_bytes(1);
      value = raw.empty() ? T{0} : static_cast<T>(raw[0]);
    } else {
      const std::string_view raw = raw_bytes(sizeof(T));
      value = raw.empty() ? T{0} : load<T>(raw.data());
    }
  }
  void take(Uuid& id);
  uint64_t uvarint();  // at most ten bytes
  int64_t varint();
  void string(std::string& text, bool flexible);  // null fails, in each of those without "or null"
  void string_or_null(std::optional<std::string>& text, bool flexible);
  void bytes(std::string& raw, bool flexible);  // null is empty
  void view(std::string_view& raw, bool flexible);
  // An array's length; nullopt: null. One whose elements, of `least` bytes each, do not fit into what is left fails.
  std::optional<size_t> count(size_t least, bool flexible);
  std::string_view raw_bytes(size_t size);  // empty where they are not there
  template <class Visit>
  void tags(Visit&& visit) {
    for (uint64_t left = uvarint(); left > 0 && !failed_; --left) {
      const uint64_t number = uvarint();
      const std::string_view raw = raw_bytes(uvarint());
      Reader inside(raw);
      if (!failed_) visit(number, inside);
      failed_ = failed_ || inside.failed();
    }
  }
  void skip_tags();

  void fail() { failed_ = true; }
  bool failed() const { return failed_; }
  size_t left() const { return failed_ ? 0 : bytes_.size() - at_; }
  std::string_view rest() const { return failed_ ? std::string_view() : bytes_.substr(at_); }

 private:
  std::optional<size_t> length(bool flexible, bool short_form);  // of text or bytes; nullopt: null

  std::string_view bytes_;
  size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace twinspan::kafka
