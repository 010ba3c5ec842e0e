#include "engines/s3/state_objects.hpp"

#include <nlohmann/json.hpp>

namespace twinspan::s3 {

Status write_state(Bucket& bucket, const std::string& key, const Json& state, const std::stop_token& stop) {
  PutRequest request{key};
  request.metadata.content_type = "application/json";
  // Keys of S3 are UTF-8, but what a server lists is not always.
  const auto put = bucket.put(request, state.dump(1, ' ', false, Json::error_handler_t::replace) + "\n", stop);
  return put ? Status{} : std::unexpected(put.error());
}

Result<std::string> read_state(Bucket& bucket, const std::string& key, const std::stop_token& stop) {
  constexpr size_t kBytesMax = 16 << 20;
  std::string text;
  const auto got = bucket.get(
      {key},
      [&](std::string_view bytes) {
        text += bytes;
        return text.size() <= kBytesMax;
      },
      stop);
  if (!got) return std::unexpected(got.error());
  return text;
}

}  // namespace twinspan::s3
