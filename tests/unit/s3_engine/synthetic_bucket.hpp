// A bucket of any size that exists on paper only: key i is "data/" and twelve digits.
#pragma once
#include <charconv>

#include "fake_bucket.hpp"

namespace twinspan::s3 {

class SyntheticBucket final : public FakeBucket {
 public:
  // Every `gap`-th key is not there; every `odd`-th has another size. 0: none.
  SyntheticBucket(std::string name, int64_t keys, int64_t gap, int64_t odd)
      : FakeBucket(std::move(name)), keys_(keys), gap_(gap), odd_(odd) {}

  Result<Page> list(const ListRequest& request, std::stop_token stop) override {
    if (stop.stop_requested()) return fail(Code::kCancelled, "stopped");
    const std::string& after = request.continuation.empty() ? request.start_after : request.continuation;
    int64_t low = 0, high = keys_;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (after.empty() || key_of(middle) > after) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    Page page;
    page.objects.reserve(static_cast<size_t>(request.max_keys));
    for (; low < keys_; ++low) {
      if (gap_ && low % gap_ == 0) continue;
      if (page.objects.size() == static_cast<size_t>(request.max_keys)) {
        page.next = page.objects.back().key;
        break;
      }
      Listed& object = page.objects.emplace_back();
      object.key = key_of(low);
      object.etag = "0123456789abcdef0123456789abcdef";
      object.size_bytes = odd_ && low % odd_ == 0 ? 1 : 2;
    }
    return page;
  }

  static std::string key_of(int64_t index) {
    std::string key = "data/000000000000";
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, index).ptr;
    std::copy(digits, end, key.end() - (end - digits));
    return key;
  }

 private:
  const int64_t keys_, gap_, odd_;
};

}  // namespace twinspan::s3
