// In which parts an object is uploaded. Pure.
// Limits: "Amazon S3 multipart upload limits": 10,000 parts, 5 MiB (the last may be smaller) to 5 GiB each, 5 TiB.
#pragma once
#include "s3/bucket.hpp"

namespace twinspan::s3 {

inline constexpr int64_t kMiB = int64_t{1} << 20;
inline constexpr int64_t kPartBytesMin = 5 * kMiB, kPartBytesMax = 5 * 1024 * kMiB;
inline constexpr int64_t kObjectBytesMax = 5 * 1024 * 1024 * kMiB;
inline constexpr int64_t kCopyBytesMax = 5 * 1024 * kMiB;  // of one server-side copy
inline constexpr int kPartsMax = 10000;

struct PartPlan {
  int64_t size_bytes = 0, part_bytes = 0;
  int count = 0;
  bool as_source = false;  // the source's own parts: with the same bytes, the ETags will be the same

  ByteRange range(int number) const;  // of part 1 … count
  bool operator==(const PartPlan&) const = default;
};

struct SourceParts {
  int count = 0;  // 0: not uploaded in parts, or not known
  int64_t first_bytes = 0;
};

// For servers that tell only how many parts there are: the part size in wide use that makes so many of them. Wrong
// where the uploader chose another; the ETags will differ then, and nothing else.
SourceParts usual_parts(int64_t size_bytes, int count);

// The source's parts where they are all of one size and within the limits and `part_bytes_max` (what memory allows; for
// a server-side copy kPartBytesMax). Else parts of at least 8 MiB, as large as 10,000 of them need to be: that may be
// more than `part_bytes_max`. kInvalid: larger than an object can be.
Result<PartPlan> plan_parts(int64_t size_bytes, const SourceParts& source, int64_t part_bytes_max);

}  // namespace twinspan::s3
