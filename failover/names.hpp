// Enumerators and the names people read, in both directions.
#pragma once
#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace twinspan {

template <class Enum, size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

template <class Enum, size_t N>
std::string_view name_of(const Names<Enum, N>& names, Enum value) {
  for (const auto& [known, name] : names)
    if (known == value) return name;
  return "Unknown";
}

template <class Enum, size_t N>
std::optional<Enum> value_of(const Names<Enum, N>& names, std::string_view text) {
  for (const auto& [known, name] : names)
    if (name == text) return known;
  return std::nullopt;
}

}  // namespace twinspan
