#include "engines/s3/part_plan.hpp"

#include <fmt/format.h>

namespace twinspan::s3 {
namespace {

int64_t parts_of(int64_t size_bytes, int64_t part_bytes) {
  return std::max<int64_t>(1, (size_bytes + part_bytes - 1) / part_bytes);
}

}  // namespace

ByteRange PartPlan::range(int number) const {
  const int64_t first = (number - 1) * part_bytes;
  return {first, std::min(part_bytes, size_bytes - first)};
}

SourceParts usual_parts(int64_t size_bytes, int count) {
  for (int64_t mib : {8, 5, 16, 10, 15, 32, 64, 128, 25, 50, 100, 256, 512, 1024, 6, 7, 9, 12, 20, 24, 30, 40, 48})
    if (parts_of(size_bytes, mib * kMiB) == count) return {count, mib * kMiB};
  return {};
}

Result<PartPlan> plan_parts(int64_t size_bytes, const SourceParts& source, int64_t part_bytes_max) {
  if (size_bytes < 0 || size_bytes > kObjectBytesMax)
    return fail(Code::kInvalid, fmt::format("object of {} bytes: expected at most {}", size_bytes, kObjectBytesMax));
  const bool one = source.count == 1;  // the only part is the last one, and may be as small as it likes
  if (source.count > 0 && source.count <= kPartsMax && source.first_bytes > 0 &&
      source.first_bytes <= std::min(part_bytes_max, kPartBytesMax) && (one || source.first_bytes >= kPartBytesMin) &&
      parts_of(size_bytes, source.first_bytes) == source.count)
    return PartPlan{size_bytes, source.first_bytes, source.count, true};
  const int64_t least = (size_bytes + kPartsMax - 1) / kPartsMax;
  const int64_t part = std::max(8 * kMiB, (least + kMiB - 1) / kMiB * kMiB);
  return PartPlan{size_bytes, part, static_cast<int>(parts_of(size_bytes, part)), false};
}

}  // namespace twinspan::s3
