#include "api/quantity.hpp"

#include <charconv>
#include <cmath>

namespace twinspan::api {

namespace {

struct Suffix {
  std::string_view text;
  long double factor;
};

constexpr Suffix kSuffixes[] = {
    {"", 1.0L},      {"n", 1e-9L},    {"u", 1e-6L},    {"m", 1e-3L},    {"k", 1e3L},     {"M", 1e6L},
    {"G", 1e9L},     {"T", 1e12L},    {"P", 1e15L},    {"E", 1e18L},    {"Ki", 0x1p10L}, {"Mi", 0x1p20L},
    {"Gi", 0x1p30L}, {"Ti", 0x1p40L}, {"Pi", 0x1p50L}, {"Ei", 0x1p60L},
};

}  // namespace

std::optional<long double> parse_quantity(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  long double number = 0, scale = 1;
  size_t digits = 0, i = 0;
  bool fraction = false;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.' && !fraction) {
      fraction = true;
    } else if (c >= '0' && c <= '9') {
      number = number * 10 + (c - '0');
      if (fraction) scale *= 10;
      ++digits;
    } else {
      break;
    }
  }
  if (digits == 0 || digits > 40) return std::nullopt;
  number = (negative ? -number : number) / scale;
  const std::string_view rest = text.substr(i);
  for (const Suffix& suffix : kSuffixes)
    if (rest == suffix.text) return number * suffix.factor;
  if (rest.size() < 2 || (rest[0] != 'e' && rest[0] != 'E')) return std::nullopt;
  const std::string_view power = rest.substr(rest[1] == '+' ? 2 : 1);
  int exponent = 0;
  const auto [end, error] = std::from_chars(power.data(), power.data() + power.size(), exponent);
  if (error != std::errc{} || end != power.data() + power.size() || exponent < -30 || exponent > 30)
    return std::nullopt;
  return number * std::pow(10.0L, exponent);
}

}  // namespace twinspan::api
