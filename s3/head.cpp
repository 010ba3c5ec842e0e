// What the headers of an answer say of an object.
#include <fmt/format.h>

#include <charconv>

#include "core/text.hpp"
#include "s3/answer.hpp"

namespace twinspan::s3 {
namespace {

bool parse_size(std::string_view text, int64_t& out) {
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), out);
  return bad == std::errc() && end == text.data() + text.size() && out >= 0;
}

int parse_count(std::string_view text) {
  int64_t out = 0;
  return parse_size(text, out) && out <= INT32_MAX ? static_cast<int>(out) : 0;
}

}  // namespace

Result<WallTime> parse_http_date(std::string_view text) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto wrong = [&] {
    return fail(Code::kInvalid,
                fmt::format("date \"{}\": expected as in Wed, 21 Oct 2015 07:28:00 GMT", text.substr(0, 64)));
  };
  const auto number = [&](size_t at, size_t size) {
    int out = -1;
    const char* const end = text.data() + at + size;
    const auto parsed = std::from_chars(text.data() + at, end, out);
    return parsed.ec == std::errc() && parsed.ptr == end ? out : -1;
  };
  if (text.size() != 29 || !text.ends_with(" GMT") || text[3] != ',' || text[19] != ':' || text[22] != ':')
    return wrong();
  const size_t month = kMonths.find(text.substr(8, 3));
  const int day = number(5, 2), year = number(12, 4), hour = number(17, 2), minute = number(20, 2),
            second = number(23, 2);
  if (month == kMonths.npos || month % 3 != 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 60 || year < 0)
    return wrong();
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month) / 3 + 1),
                                         std::chrono::day(static_cast<unsigned>(std::max(day, 0)))};
  if (!date.ok()) return wrong();
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

Result<Head> parse_head(const std::string& key, const net::Response& answer) {
  Head out;
  out.object.key = key;
  out.object.size_bytes = -1;
  Metadata& metadata = out.metadata;
  static const std::map<std::string_view, std::string Metadata::*> kFields{
      {"content-type", &Metadata::content_type},
      {"content-encoding", &Metadata::content_encoding},
      {"content-language", &Metadata::content_language},
      {"content-disposition", &Metadata::content_disposition},
      {"cache-control", &Metadata::cache_control},
      {"expires", &Metadata::expires},
      {"x-amz-storage-class", &Metadata::storage_class},
      {"x-amz-server-side-encryption", &Metadata::encryption},
      {"x-amz-server-side-encryption-aws-kms-key-id", &Metadata::encryption_key_id},
  };
  std::string range;
  for (const auto& [given, value] : answer.headers) {
    const std::string name = to_lower(given);
    if (const auto field = kFields.find(name); field != kFields.end()) {
      metadata.*field->second = value;
    } else if (name == "content-length") {
      if (!parse_size(value, out.object.size_bytes))
        return fail(Code::kInvalid, fmt::format("Content-Length \"{}\": expected a number", value.substr(0, 64)));
    } else if (name == "content-range") {
      range = value;
    } else if (name == "etag") {
      out.object.etag = unquoted(value);
    } else if (name == "last-modified") {
      const auto time = parse_http_date(value);
      if (!time) return std::unexpected(time.error());
      out.object.last_modified = *time;
    } else if (!name.starts_with("x-amz-")) {
      continue;
    } else if (name == "x-amz-version-id") {
      out.object.version_id = value;
    } else if (name == "x-amz-mp-parts-count") {
      out.parts = parse_count(value);
    } else if (name == "x-amz-tagging-count") {
      out.tags = parse_count(value);
    } else if (name.starts_with("x-amz-meta-")) {
      metadata.user.emplace(name.substr(11), value);
    } else if (name.starts_with("x-amz-checksum-")) {
      out.checksums.emplace(name.substr(15), value);
    }
  }
  out.object.storage_class = metadata.storage_class;
  if (!range.empty()) {
    const size_t slash = range.find('/');
    if (slash == std::string::npos || !parse_size(std::string_view(range).substr(slash + 1), out.object.size_bytes))
      return fail(Code::kInvalid, fmt::format("Content-Range \"{}\": expected the whole size", range.substr(0, 64)));
  }
  if (out.object.size_bytes < 0) return fail(Code::kInvalid, "answer: no Content-Length");
  return out;
}

}  // namespace twinspan::s3
