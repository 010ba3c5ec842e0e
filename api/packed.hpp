// A value of a generated type in few bytes, for caches of thousands of objects: lengths and numbers take as many bytes
// as they need, names of members none. For this process only: the layout is that of the struct, and is neither stored
// nor sent.
#pragma once
#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/result.hpp"

namespace twinspan::api {

class Packer {
 public:
  explicit Packer(std::string& out) : out_(out) {}

  void operator()(const std::string& text) const {
    number(text.size());
    out_.append(text);
  }
  void operator()(double value) const {
    const auto bytes = std::bit_cast<std::array<char, sizeof value>>(value);
    out_.append(bytes.data(), bytes.size());
  }
  // Empty: null. Not the text of any value.
  void operator()(const nlohmann::json& json) const { (*this)(json.is_null() ? std::string() : json.dump()); }
  void operator()(const Error& error) const {
    (*this)(error.code);
    (*this)(error.message);
    (*this)(error.retryable);
  }
  template <class T>
  requires std::integral<T> || std::is_enum_v<T>
  void operator()(T value) const {
    const auto wide = static_cast<int64_t>(value);
    number(static_cast<uint64_t>(wide) << 1 ^ static_cast<uint64_t>(wide >> 63));  // small negatives stay small
  }
  template <class T>
  void operator()(const std::optional<T>& value) const {
    number(value.has_value());
    if (value) (*this)(*value);
  }
  template <class T>
  void operator()(const std::vector<T>& items) const {
    number(items.size());
    for (const T& item : items) (*this)(item);
  }
  template <class T>
  void operator()(const std::map<std::string, T>& items) const {
    number(items.size());
    for (const auto& [key, value] : items) {
      (*this)(key);
      (*this)(value);
    }
  }
  template <class T>
  requires requires(const T& value, const Packer& each) { T::for_each_member(value, each); }
  void operator()(const T& value) const { T::for_each_member(value, *this); }

 private:
  void number(uint64_t value) const {  // LEB128
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
  }

  std::string& out_;
};

// Reads what a Packer wrote of the same type, into a value as it was constructed.
class Unpacker {
 public:
  explicit Unpacker(std::string_view& rest) : rest_(rest) {}

  void operator()(std::string& text) const { text = take(number()); }
  void operator()(double& value) const {
    std::array<char, sizeof value> bytes;
    std::memcpy(bytes.data(), take(bytes.size()).data(), bytes.size());
    value = std::bit_cast<double>(bytes);
  }
  void operator()(nlohmann::json& json) const {
    const std::string_view text = take(number());
    json = text.empty() ? nlohmann::json() : nlohmann::json::parse(text);
  }
  void operator()(Error& error) const {
    (*this)(error.code);
    (*this)(error.message);
    (*this)(error.retryable);
  }
  template <class T>
  requires std::integral<T> || std::is_enum_v<T>
  void operator()(T& value) const {
    const uint64_t zigzag = number();
    value = static_cast<T>(static_cast<int64_t>(zigzag >> 1 ^ (0 - (zigzag & 1))));
  }
  template <class T>
  void operator()(std::optional<T>& value) const {
    if (number() != 0) (*this)(value.emplace());
  }
  template <class T>
  void operator()(std::vector<T>& items) const {
    items.resize(number());
    for (T& item : items) (*this)(item);
  }
  template <class T>
  void operator()(std::map<std::string, T>& items) const {
    for (uint64_t left = number(); left > 0; --left) {
      std::string key;
      (*this)(key);
      (*this)(items.emplace_hint(items.end(), std::move(key), T())->second);
    }
  }
  template <class T>
  requires requires(T& value, const Unpacker& each) { T::for_each_member(value, each); }
  void operator()(T& value) const { T::for_each_member(value, *this); }

 private:
  uint64_t number() const {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }
  std::string_view take(uint64_t size) const {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view& rest_;
};

template <class T>
std::string pack(const T& value) {
  std::string out;
  const Packer packer(out);
  packer(value);
  return out;
}

template <class T>
T unpack(std::string_view bytes) {
  T value;
  const Unpacker unpacker(bytes);
  unpacker(value);
  return value;
}

}  // namespace twinspan::api
