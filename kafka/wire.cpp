#include "kafka/wire.hpp"

namespace twinspan::kafka {

void Writer::uvarint(uint64_t value) {
  while (value > 127) {
    out_.push_back(static_cast<char>(value | 128));
    value >>= 7;
  }
  out_.push_back(static_cast<char>(value));
}

void Writer::string(std::string_view text, bool flexible) {
  if (flexible) {
    uvarint(text.size() + 1);
  } else {
    put(static_cast<int16_t>(text.size()));
  }
  out_.append(text);
}

void Writer::string_or_null(const std::optional<std::string>& text, bool flexible) {
  if (text) return string(*text, flexible);
  if (flexible) return uvarint(0);
  put(int16_t{-1});
}

void Writer::bytes(std::string_view raw, bool flexible) {
  count(raw.size(), flexible);
  out_.append(raw);
}

void Writer::count(size_t size, bool flexible) {
  if (flexible) return uvarint(size + 1);
  put(static_cast<int32_t>(size));
}

void Writer::null_array(bool flexible) {
  if (flexible) return uvarint(0);
  put(int32_t{-1});
}

void Writer::tag(uint64_t number, std::string_view inside) {
  uvarint(number);
  uvarint(inside.size());
  out_.append(inside);
}

std::string_view Reader::raw_bytes(size_t size) {
  if (failed_ || size > bytes_.size() - at_) {
    failed_ = true;
    return {};
  }
  const std::string_view raw = bytes_.substr(at_, size);
  at_ += size;
  return raw;
}

void Reader::take(Uuid& id) {
  const std::string_view raw = raw_bytes(id.size());
  if (raw.empty()) {
    id = {};
  } else {
    std::memcpy(id.data(), raw.data(), raw.size());
  }
}

uint64_t Reader::uvarint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    const std::string_view raw = raw_bytes(1);
    if (raw.empty()) return 0;
    const auto byte = static_cast<unsigned char>(raw[0]);
    if (shift == 63 && byte > 1) break;  // beyond 64 bits
    value |= static_cast<uint64_t>(byte & 127) << shift;
    if (byte < 128) return value;
  }
  failed_ = true;
  return 0;
}

int64_t Reader::varint() {
  const uint64_t raw = uvarint();
  return static_cast<int64_t>(raw >> 1 ^ (~(raw & 1) + 1));
}

std::optional<size_t> Reader::length(bool flexible, bool short_form) {
  int64_t size = -1;
  if (flexible) {
    const uint64_t raw = uvarint();
    if (raw > left() + 1) {
      failed_ = true;
      return std::nullopt;
    }
    size = static_cast<int64_t>(raw) - 1;
  } else if (short_form) {
    int16_t raw = 0;
    take(raw);
    size = raw;
  } else {
    int32_t raw = 0;
    take(raw);
    size = raw;
  }
  if (size < -1) failed_ = true;
  if (size < 0 || failed_) return std::nullopt;
  return static_cast<size_t>(size);
}

void Reader::string(std::string& text, bool flexible) {
  const auto size = length(flexible, true);
  if (!size) failed_ = true;
  text = raw_bytes(size.value_or(0));
}

void Reader::string_or_null(std::optional<std::string>& text, bool flexible) {
  text.reset();
  if (const auto size = length(flexible, true)) text = raw_bytes(*size);
}

void Reader::view(std::string_view& raw, bool flexible) { raw = raw_bytes(length(flexible, false).value_or(0)); }

void Reader::bytes(std::string& raw, bool flexible) {
  std::string_view seen;
  view(seen, flexible);
  raw = seen;
}

std::optional<size_t> Reader::count(size_t least, bool flexible) {
  const auto size = length(flexible, false);
  if (size && *size > left() / least) failed_ = true;
  if (failed_) return std::nullopt;
  return size;
}

void Reader::skip_tags() {
  tags([](uint64_t, Reader&) {});
}

}  // namespace twinspan::kafka
