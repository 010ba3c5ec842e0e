#include "backup/archive.hpp"

#include <algorithm>

namespace twinspan::backup {
namespace {

constexpr std::string_view kArchiveId = "15-1";  // of PostgreSQL 15, in a stanza that has one system only
constexpr size_t kSegmentName = 24, kDigest = 40;

bool has_only(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

}  // namespace

bool is_segment(std::string_view name) {
  constexpr std::string_view kPartial = ".partial";
  if (name.ends_with(kPartial)) name.remove_suffix(kPartial.size());
  return name.size() == kSegmentName && has_only(name, "0123456789ABCDEF");
}

bool is_history(std::string_view name) {
  return name.size() == 16 && name.ends_with(".history") && has_only(name.substr(0, 8), "0123456789ABCDEF");
}

std::string folder_of(std::string_view segment) {
  return std::string(kArchiveId) + "/" + std::string(segment.substr(0, 16));
}

std::optional<std::string> stored_digest(std::string_view listing, std::string_view segment) {
  while (!listing.empty()) {
    const size_t end = std::min(listing.find('\n'), listing.size());
    std::string_view name = listing.substr(0, end);
    listing.remove_prefix(std::min(end + 1, listing.size()));
    if (!name.starts_with(segment)) continue;
    name.remove_prefix(segment.size());
    if (name.size() > kDigest && name.front() == '-' && has_only(name.substr(1, kDigest), "0123456789abcdef"))
      return std::string(name.substr(1, kDigest));
  }
  return std::nullopt;
}

// Names sort by timeline, then by position.
bool is_before(std::string_view name, std::string_view oldest) {
  if (oldest.empty()) return false;
  return is_history(name) ? name.substr(0, 8) < oldest.substr(0, 8) : name.substr(0, kSegmentName) < oldest;
}

}  // namespace twinspan::backup
