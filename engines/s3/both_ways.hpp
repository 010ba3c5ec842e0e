// Two-way links: each key is looked at on both sides, then carried one way or the other.
#pragma once
#include <atomic>

#include "engines/s3/equal_memory.hpp"
#include "engines/s3/transfer.hpp"

namespace twinspan::s3 {

// What the way back needs beside the way there.
struct BothWays {
  // `remembered`: keys in memory, 24 bytes each.
  explicit BothWays(Route& forth, size_t remembered = size_t{1} << 20)
      : there(forth), back(forth, Route::kBack), records(back), memory(remembered) {}

  // What both buckets do with preconditions, and whether their ETags are digests: asked once, by a probe object under
  // the reserved prefix. Nothing may be carried before.
  Status probe(const std::stop_token& stop);

  Route& there;
  Route back;
  UploadRecords records;
  EqualMemory memory;
  std::atomic<uint64_t> conflicts{0};  // since construction
  std::atomic<bool> probed{false};
};

Present present_of(const Head& head, const Side& other, const std::string& key);

// No key is carried back to where it came from: copies are equal to their originals, by ETag or by their marker. What
// is overwritten was looked at just before, and is overwritten only if it is still the same: by a precondition of the
// server's, or by one more look where the server knows none.
class Reconciler final : public Carrier {
 public:
  Reconciler(Transfer& there, Transfer& back, BothWays& both) : there_(there), back_(back), both_(both) {}

  Result<Outcome> carry(Work& work, const std::stop_token& stop) override;
  Result<Outcome> refresh(Work& work, const std::stop_token& stop) override;
  Status discard(Work& work, const std::stop_token& stop) override;

 private:
  Result<Outcome> decide(Work& work, const std::stop_token& stop);
  std::optional<Turned> turned(const Listed& ours, const Listed& theirs) const;
  bool deleted_at_source(const Head& theirs, const std::string& key) const;
  Transfer& way(const Work& work) { return work.course && work.course->back ? back_ : there_; }

  Transfer &there_, &back_;
  BothWays& both_;
};

}  // namespace twinspan::s3
