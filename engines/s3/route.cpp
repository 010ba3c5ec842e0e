#include "engines/s3/route.hpp"

#include <fmt/format.h>

#include <algorithm>

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
  request.packed = route.source_unpacks;
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
  // Another length than it is listed with: a server, or something on the way, unpacks it. Never stored so.
  const bool other_length = too_long || (head ? arrived != size_bytes : head.error().message == kNotTheRange);
  if (other_length && !route.source_unpacks.exchange(true))
    return fail(Code::kUnavailable,
                fmt::format("\"{}\" did not arrive as long as it is listed: asked for as it is stored", key));
  if (too_long) return fail(Code::kConflict, fmt::format("\"{}\" is longer than it was listed", key));
  if (!head) return std::unexpected(at_source(head.error()));
  if (arrived != size_bytes)
    return fail(Code::kUnavailable, fmt::format("\"{}\": {} bytes arrived, expected {}", key, arrived, size_bytes));
  return head;
}

// "aws-chunked" is how an upload was signed, and no encoding of what is stored. Some servers keep it.
std::string without_chunks(const std::string& encodings) {
  if (encodings.find("aws-chunked") == std::string::npos) return encodings;
  std::string rest;
  for (size_t at = 0; at <= encodings.size();) {
    const size_t end = std::min(encodings.find(',', at), encodings.size());
    std::string one = encodings.substr(at, end - at);
    one.erase(0, std::min(one.size(), one.find_first_not_of(' ')));
    if (!one.empty() && !one.starts_with("aws-chunked")) rest += (rest.empty() ? "" : ",") + one;
    at = end + 1;
  }
  return rest;
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

Result<bool> still_listed(const Side& side, const ObjectName& object, const std::stop_token& stop) {
  ListRequest request;
  request.prefix = object.key;  // of all keys that begin so it comes first
  const bool version = !object.version_id.empty();
  request.max_keys = version ? 1000 : 2;
  const auto page = version ? side.bucket.list_versions(request, stop) : side.bucket.list(request, stop);
  if (!page) return std::unexpected(page.error());
  return std::any_of(page->objects.begin(), page->objects.end(), [&](const Listed& one) {
    return one.key == object.key && (!version || one.version_id == object.version_id);
  });
}

void fit_metadata(Metadata& metadata) {
  constexpr size_t kBytesMax = 2048;  // names and values together, as S3 counts them
  const auto bytes = [&] {
    size_t sum = 0;
    for (const auto& [name, value] : metadata.user) sum += name.size() + value.size();
    return sum;
  };
  for (const std::string_view mark : {kSealName, kSourceModifiedName, kSourceEtagName})
    if (bytes() > kBytesMax) metadata.user.erase(std::string(mark));
}

Metadata carried(const Settings& settings, const Metadata& from, const std::string& marker) {
  Metadata to = from;
  to.encryption = settings.encryption;
  to.encryption_key_id = settings.encryption_key_id;
  unmark(to);
  to.content_encoding = without_chunks(to.content_encoding);
  if (!marker.empty()) to.user[std::string(kSourceEtagName)] = marker;
  return to;
}

}  // namespace twinspan::s3
