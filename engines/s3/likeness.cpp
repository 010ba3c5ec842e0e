#include "engines/s3/likeness.hpp"

#include <charconv>

namespace twinspan::s3 {

std::optional<int> etag_parts(std::string_view etag) {
  constexpr size_t kMd5Digits = 32;
  if (etag.size() < kMd5Digits) return std::nullopt;
  for (char c : etag.substr(0, kMd5Digits))
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) return std::nullopt;
  std::string_view rest = etag.substr(kMd5Digits);
  if (rest.empty()) return 0;
  if (!rest.starts_with('-')) return std::nullopt;
  rest.remove_prefix(1);
  int parts = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), parts);
  if (error != std::errc() || end != rest.data() + rest.size() || parts < 1) return std::nullopt;
  return parts;
}

std::optional<std::string> md5_in(std::string_view etag) {
  if (etag_parts(etag) != 0) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < etag.size(); i += 2) {
    unsigned value = 0;
    std::from_chars(etag.data() + i, etag.data() + i + 2, value, 16);
    bytes += static_cast<char>(value);
  }
  return bytes;
}

Likeness likeness(const Settings& settings, const Listed& source, const Listed& target) {
  if (settings.restore)
    return source.size_bytes == target.size_bytes && source.etag == target.etag ? Likeness::kEqual : Likeness::kUnsure;
  if (settings.stored.plain()) return likeness(source, target);
  const auto stored_bytes = settings.stored.stored_bytes(source.size_bytes);
  return stored_bytes && *stored_bytes != target.size_bytes ? Likeness::kDifferent : Likeness::kUnsure;
}

bool written_since(const Listed& source, const Listed& target) {
  return source.last_modified > target.last_modified && etag_parts(source.etag) == 0 && etag_parts(target.etag) == 0;
}

bool same_digest(const std::map<std::string, std::string>& ours, const std::map<std::string, std::string>& theirs) {
  const auto whole = [](const std::map<std::string, std::string>& checksums, const char* name) -> std::string {
    const auto type = checksums.find("type"), value = checksums.find(name);
    if (type != checksums.end() && type->second != "FULL_OBJECT") return "";
    return value == checksums.end() || value->second.contains('-') ? "" : value->second;
  };
  bool same = false;
  for (const char* name : {"sha512", "sha256", "sha1", "crc64nvme", "xxhash128", "md5"}) {
    const std::string one = whole(ours, name), other = whole(theirs, name);
    if (one.empty() || other.empty()) continue;
    if (one != other) return false;
    same = true;
  }
  return same;
}

bool made_from(const Metadata& copy, std::string_view original_etag) {
  const auto marker = copy.user.find(std::string(kSourceEtagName));
  return marker != copy.user.end() && marker->second == original_etag;
}

}  // namespace twinspan::s3
