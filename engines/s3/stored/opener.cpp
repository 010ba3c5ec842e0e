#include "engines/s3/stored/opener.hpp"

#include <fmt/format.h>

#include "engines/s3/stored/sealing.hpp"
#include "s3/digest.hpp"

namespace twinspan::s3 {
namespace {

Packing packing_seen(std::string_view head) {
  if (head.starts_with("\x1f\x8b")) return Packing::kGzip;
  if (head.starts_with("\x28\xb5\x2f\xfd")) return Packing::kZstd;
  return Packing::kNone;
}

}  // namespace

Sink Opener::counted(const Sink& out) {
  return [this, &out](std::string_view bytes) -> Status {
    original_bytes_ += static_cast<int64_t>(bytes.size());
    if (config_.original_bytes && original_bytes_ > *config_.original_bytes)
      return fail(Code::kInvalid, fmt::format("more than the {} bytes of the original", *config_.original_bytes));
    if (header_ && static_cast<uint64_t>(original_bytes_) > header_->original_bytes)
      return fail(Code::kInvalid, fmt::format("more than the {} bytes of the original", header_->original_bytes));
    return out(bytes);
  };
}

Status Opener::begin_sealed() {
  auto header = parse_seal_header(std::string_view(head_).substr(0, kSealHeaderBytes));
  if (!header) return std::unexpected(header.error());
  header_ = std::move(*header);
  if (!config_.key) return fail(Code::kInvalid, fmt::format("sealed with key {}: a key is needed", header_->key_id));
  if (header_->key_id != config_.key->id())
    return fail(Code::kInvalid, fmt::format("sealed with key {}, not with {}", header_->key_id, config_.key->id()));
  stages_.add(std::make_unique<Unsealer>(*config_.key, *header_));
  if (auto unpacker = make_unpacker(header_->packing)) stages_.add(std::move(unpacker));
  if (config_.name && sha256_of(*config_.name) != header_->name_digest)
    return fail(Code::kInvalid, fmt::format("was sealed under another name than \"{}\"", *config_.name));
  return {};
}

Status Opener::begin(bool all, const Sink& out) {
  const bool sealed = std::string_view(head_).starts_with(kSealMagic);
  if (!all && (head_.size() < kSealMagic.size() || (sealed && head_.size() < kSealHeaderBytes))) return {};
  begun_ = true;
  std::string_view rest = head_;
  if (sealed) {
    if (Status begun = begin_sealed(); !begun) return begun;
    rest.remove_prefix(kSealHeaderBytes);
  } else if (config_.name) {
    return fail(Code::kInvalid, "is not sealed");
  } else if (auto unpacker = make_unpacker(config_.if_not_sealed.value_or(packing_seen(head_)))) {
    stages_.add(std::move(unpacker));
  }
  const Status fed = rest.empty() ? Status{} : stages_.feed(rest, out);
  head_.clear();
  return fed;
}

Status Opener::feed(std::string_view bytes, const Sink& out) {
  const Sink to = counted(out);
  if (begun_) return stages_.feed(bytes, to);
  head_ += bytes;
  return begin(false, to);
}

Status Opener::finish(const Sink& out) {
  const Sink to = counted(out);
  if (!begun_)
    if (Status begun = begin(true, to); !begun) return begun;
  if (Status finished = stages_.finish(to); !finished) return finished;
  const std::optional<int64_t> expected =
      header_ ? static_cast<int64_t>(header_->original_bytes) : config_.original_bytes;
  if ((expected && original_bytes_ != *expected) ||
      (config_.original_bytes && original_bytes_ != *config_.original_bytes))
    return fail(Code::kInvalid, fmt::format("{} bytes, the original had {}", original_bytes_,
                                            config_.original_bytes.value_or(*expected)));
  return {};
}

}  // namespace twinspan::s3
