#include "engines/s3/route.hpp"

#include <fmt/format.h>

#include "core/wait.hpp"
#include "engines/s3/likeness.hpp"
#include "engines/s3/origin.hpp"

namespace twinspan::s3 {
Settings Route::back_settings(Settings settings) {
  settings.link += "~back";  // both may lie in one bucket; no link's name has such a character
  return settings;
}

Error at_source(const Error& error) {
  if (error.code != Code::kNotFound) return error;
  return {Code::kGone, error.message, false};
}

namespace {

Result<Head> read(Route& route, const ObjectName& object, const std::string& etag, std::optional<ByteRange> range,
                  int64_t size_bytes, const std::function<bool(std::string_view)>& append,
                  const std::stop_token& stop) {
  const std::string& key = object.key;
  GetRequest request{route.at_source(key), etag, range, object.version_id};
  bool too_long = false;
  int64_t arrived = 0;
  const auto take = [&](std::string_view bytes) {
    const auto wait = route.bandwidth.take(static_cast<int64_t>(bytes.size()));
    if (wait.count() > 0 && !wait_for(wait, stop)) return false;
    arrived += static_cast<int64_t>(bytes.size());
    too_long = arrived > size_bytes || !append(bytes);
    return !too_long;
  };
  Result<Head> head = route.source.bucket.get(request, take, stop);
  if (too_long) return fail(Code::kConflict, fmt::format("\"{}\" is longer than it was listed", key));
  if (!head) return std::unexpected(at_source(head.error()));
  if (arrived != size_bytes)
    return fail(Code::kUnavailable, fmt::format("\"{}\": {} bytes arrived, expected {}", key, arrived, size_bytes));
  return head;
}

}  // namespace

Result<Head> read_source(Route& route, const ObjectName& object, const std::string& etag,
                         std::optional<ByteRange> range, Buffer& into, int64_t size_bytes,
                         const std::stop_token& stop) {
  return read(
      route, object, etag, range, size_bytes, [&](std::string_view bytes) { return into.append(bytes); }, stop);
}

Result<Head> read_source(Route& route, const ObjectName& object, const std::string& etag,
                         std::optional<ByteRange> range, std::string& into, int64_t size_bytes,
                         const std::stop_token& stop) {
  return read(
      route, object, etag, range, size_bytes,
      [&](std::string_view bytes) {
        into += bytes;
        return true;
      },
      stop);
}

Status pass_source(Route& route, const ObjectName& object, const std::string& etag, ByteRange range,
                   const std::function<bool(std::string_view)>& write, const std::stop_token& stop) {
  bool unwanted = false;
  const auto head = read(
      route, object, etag, range, range.size_bytes,
      [&](std::string_view bytes) {
        unwanted = !write(bytes);
        return !unwanted;
      },
      stop);
  if (!head && !unwanted) return std::unexpected(head.error());
  return {};
}

Metadata carried(const Settings& settings, const Metadata& from, const std::string& marker) {
  Metadata to = from;
  to.encryption = settings.encryption;
  to.encryption_key_id = settings.encryption_key_id;
  unmark(to);
  if (!marker.empty()) to.user[std::string(kSourceEtagName)] = marker;
  return to;
}

}  // namespace twinspan::s3
