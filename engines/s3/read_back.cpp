#include "engines/s3/read_back.hpp"

#include "core/wait.hpp"
#include "engines/s3/likeness.hpp"
#include "engines/s3/stored/opener.hpp"
#include "s3/digest.hpp"

namespace twinspan::s3 {

Result<bool> reads_back(Route& route, const Listed& source, const Listed& target, const std::stop_token& stop) {
  const Settings& settings = route.settings;
  const StoredForm& form = settings.stored;
  // What was brought back from another form has neither size nor ETag of its source.
  const std::optional<int64_t> bytes = settings.restore ? std::nullopt : std::optional<int64_t>(source.size_bytes);
  Pipeline stages;
  if (form.key && target.size_bytes < kSealHeaderBytes) return false;
  if (!form.plain())
    stages.add(std::make_unique<Opener>(
        OpenerConfig{form.key, form.key ? std::optional(source.key) : std::nullopt, form.packing, bytes}));
  Md5 digest;
  int64_t arrived = 0;
  const Sink count = [&](std::string_view piece) -> Status {
    digest.add(piece);
    arrived += static_cast<int64_t>(piece.size());
    return {};
  };
  Status opened;
  const auto got = route.target.bucket.get(
      {route.at_target(target.key), target.etag},
      [&](std::string_view piece) {
        const auto wait = route.bandwidth.take(static_cast<int64_t>(piece.size()));
        if (wait.count() > 0 && !wait_for(wait, stop)) return false;
        opened = stages.feed(piece, count);
        return opened.has_value();
      },
      stop);
  if (!opened) return false;
  if (!got && (got.error().code == Code::kNotFound || got.error().code == Code::kConflict)) return true;
  if (!got) return std::unexpected(got.error());
  if (!stages.finish(count)) return false;
  if (bytes && arrived != *bytes) return false;
  const auto promised = bytes && !route.source_etags_opaque ? md5_in(source.etag) : std::nullopt;
  return !promised || digest.finish() == *promised;
}

}  // namespace twinspan::s3
