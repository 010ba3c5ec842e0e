#include "kafka/crc32c.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace twinspan::kafka {
namespace {

constexpr uint32_t kPolynomial = 0x82F63B78;  // bits reflected: the highest one is x^0

constexpr auto kTables = [] {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t n = 0; n < 256; ++n) {
    uint32_t crc = n;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? kPolynomial : 0);
    tables[0][n] = crc;
  }
  for (size_t t = 1; t < 8; ++t)
    for (size_t n = 0; n < 256; ++n) tables[t][n] = tables[t - 1][n] >> 8 ^ tables[0][tables[t - 1][n] & 255];
  return tables;
}();

// Eight bytes at a time, where the processor has no instruction for it.
uint32_t by_tables(uint32_t crc, const char* at, size_t size) {
  for (; size >= 8; at += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    word ^= crc;
    crc = 0;
    for (size_t i = 0; i < 8; ++i) crc ^= kTables[7 - i][word >> (8 * i) & 255];
  }
  for (; size > 0; ++at, --size) crc = kTables[0][(crc ^ static_cast<unsigned char>(*at)) & 255] ^ crc >> 8;
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t by_instruction(uint32_t crc, const char* at, size_t size) {
  uint64_t wide = crc;
  for (; size >= 8; at += 8, size -= 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  crc = static_cast<uint32_t>(wide);
  for (; size > 0; ++at, --size) crc = __builtin_ia32_crc32qi(crc, static_cast<unsigned char>(*at));
  return crc;
}
#endif

uint32_t raw_crc(uint32_t crc, std::string_view bytes) {
#if defined(__x86_64__)
  static const bool instruction = __builtin_cpu_supports("sse4.2");
  if (instruction) return by_instruction(crc, bytes.data(), bytes.size());
#endif
  return by_tables(crc, bytes.data(), bytes.size());
}

// a · b modulo the polynomial.
constexpr uint32_t multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (int bit = 31; bit >= 0; --bit) {
    product ^= b & (~(a >> bit & 1) + 1);
    b = b >> 1 ^ (kPolynomial & (~(b & 1) + 1));
  }
  return product;
}

// x^(8·2^n): what 2^n bytes of zeros multiply a checksum by.
constexpr auto kZeros = [] {
  std::array<uint32_t, 40> powers{};
  uint32_t power = 1u << 23;  // x^8
  for (uint32_t& each : powers) {
    each = power;
    power = multiply(power, power);
  }
  return powers;
}();

}  // namespace

uint32_t crc32c(std::string_view bytes) { return ~raw_crc(~0u, bytes); }

uint32_t crc32c_after(uint32_t old, std::string_view change, size_t behind) {
  uint32_t moved = raw_crc(0, change);
  for (size_t n = 0; behind != 0 && n < kZeros.size(); ++n, behind >>= 1)
    if (behind & 1) moved = multiply(moved, kZeros[n]);
  return old ^ moved;
}

}  // namespace twinspan::kafka
