#include "engines/s3/stored/sealing.hpp"

namespace twinspan::s3 {
namespace {

// Collects `bytes` in `held` up to `full(…)`; `emit` empties it when it is full and more comes: only then is it known
// not to be the last.
template <class Full, class Emit>
Status collect(std::string& held, std::string_view bytes, Full full, Emit emit) {
  while (!bytes.empty()) {
    if (held.size() == full())
      if (Status emitted = emit(); !emitted) return emitted;
    const std::string_view taken = bytes.substr(0, full() - held.size());
    held += taken;
    bytes.remove_prefix(taken.size());
  }
  return {};
}

size_t segment_bytes(uint64_t index) {
  return static_cast<size_t>(index == 0 ? kSegmentBytes - kSealHeaderBytes : kSegmentBytes);
}

}  // namespace

Status Sealer::feed(std::string_view bytes, const Sink& out) {
  return collect(
      content_, bytes, [this] { return segment_bytes(index_) - kSealTagBytes; }, [&] { return emit(false, out); });
}

Status Sealer::finish(const Sink& out) { return emit(true, out); }

Status Sealer::emit(bool last, const Sink& out) {
  sealed_.clear();
  if (index_ == 0) sealed_ = header_;
  if (Status sealed = cipher_.seal(index_++, last, content_, sealed_); !sealed) return sealed;
  content_.clear();
  return out(sealed_);
}

Status Unsealer::feed(std::string_view bytes, const Sink& out) {
  return collect(
      segment_, bytes, [this] { return segment_bytes(index_); }, [&] { return emit(false, out); });
}

Status Unsealer::finish(const Sink& out) { return emit(true, out); }

Status Unsealer::emit(bool last, const Sink& out) {
  content_.clear();
  if (Status opened = cipher_.open(index_, last, segment_, content_); !opened) return opened;
  if (last && content_.empty() && index_ > 0)
    return fail(Code::kInvalid, "the last segment is empty: not written by this program");
  ++index_;
  segment_.clear();
  return content_.empty() ? Status{} : out(content_);
}

}  // namespace twinspan::s3
