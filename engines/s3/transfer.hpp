// One object from the source to the target. The bytes are proven by ETags wherever those are digests: a plain one is
// sent along as Content-MD5, which the target refuses to belie; that of an upload in parts is compared at the end.
#pragma once
#include <functional>
#include <memory>

#include "engines/s3/copy_index.hpp"
#include "engines/s3/multipart.hpp"
#include "engines/s3/route.hpp"
#include "engines/s3/upload_records.hpp"

namespace twinspan::s3 {

// Which way an object of a two-way link goes.
struct Course {
  bool back = false;
  std::string overwrites{};  // the ETag of what is there; empty: nothing may be
};

// An object that is to be carried, and what former tries have left.
struct Work {
  Listed object;            // as the source listed it; the key is below the link's prefix
  std::string target_etag;  // of what the target has under this key with the same size: it may be equal after all
  int priority = 0;
  int tries = 0;
  bool of_sync = true;                // a full sync found it: it is counted there
  std::string odd_md5;                // of a body that wasn't what its ETag promised
  bool odd_parts = false;             // an upload in parts ended with another ETag than the source's
  std::shared_ptr<Multipart> upload;  // half done
  std::optional<Course> course{};     // of a two-way link: once that is known
  // Of a link that goes one way: the ETag of what is at the target, as it was looked at; empty: nothing is.
  std::optional<std::string> over{};
  bool over_moved = false;          // the target has answered that something else is there
  int looks = 0;                    // at the target after such an answer
  bool at_once = false;             // by such a look it can be tried again, and that is no try of its own
  std::optional<Listed> foreign{};  // what is at the target from before the link: kept aside before it is replaced
  bool lost = false;                // the source lists it and answers that it is not there
  std::string wrote{};              // what a try that was no good has left at the other side, by its ETag
  bool conflict_counted = false;
  // Of a key whose versions are carried:
  bool may_delete = false;           // also the delete marker that nothing comes after
  uint64_t versions = 0;             // carried
  int64_t carried_bytes = 0;         // of them
  std::string copy_etag{};           // of the copy, when it is complete; empty: not known
  bool copy_listed = false;          // listings will show it: it is a digest of what was written, or comes from one
  std::shared_ptr<CopySlot> slot{};  // where the next sync looks it up; nullptr: nowhere
};

enum class Outcome {
  kReplicated,
  kEqual,  // it was there already
  kGone,   // the source no longer has it
};

// Any thread, one object by one thread at a time.
class Carrier {
 public:
  virtual ~Carrier() = default;
  // kConflict: the object has changed since it was listed; `refresh` before the next try. Other errors: retry_after().
  virtual Result<Outcome> carry(Work& work, const std::stop_token& stop) = 0;
  // Looks at the source again: what is there now is what will be carried. kEqual: the target has it already.
  virtual Result<Outcome> refresh(Work& work, const std::stop_token& stop) = 0;
  // Leaves nothing of a half-done upload behind.
  virtual Status discard(Work& work, const std::stop_token& stop) = 0;
};

// What is at the target was there before the link was.
bool is_foreign(const Settings& settings, const Listed& at_target);

// One way.
class Transfer final : public Carrier {
 public:
  // `share`: gets uploads that others may help with.
  Transfer(Route& route, UploadRecords& records, std::function<void(std::shared_ptr<Multipart>)> share)
      : route_(route), records_(records), share_(std::move(share)) {}

  Result<Outcome> carry(Work& work, const std::stop_token& stop) override;
  Result<Outcome> refresh(Work& work, const std::stop_token& stop) override;
  Status discard(Work& work, const std::stop_token& stop) override;

 private:
  Result<Outcome> carry_plain(Work& work, const std::stop_token& stop);
  Result<Outcome> carry_whole(Work& work, const std::stop_token& stop);
  Result<Outcome> carry_formed(Work& work, const std::stop_token& stop);
  Result<Outcome> carry_formed_whole(Work& work, const std::stop_token& stop);
  Result<Outcome> carry_stream(Work& work, const std::stop_token& stop);
  Result<Outcome> write_stream(Work& work, Stage& stage, int64_t bytes_max, PutRequest request,
                               const std::stop_token& stop);
  Result<Outcome> write_stream_in_parts(Work& work, Stage& stage, const PartPlan& plan, const PutRequest& request,
                                        const std::stop_token& stop);
  Result<Outcome> put_stored(Work& work, PutRequest request, std::string_view stored, const std::stop_token& stop);
  Result<Outcome> copy_whole(Work& work, const std::stop_token& stop);
  Result<Outcome> carry_in_parts(Work& work, const std::stop_token& stop);
  std::shared_ptr<Multipart> upload_of(UploadRecord record, const Listed& object, const Upload& upload);
  Result<Outcome> begin_parts(Work& work, const std::stop_token& stop);
  Result<Outcome> complete(Work& work, const std::stop_token& stop);
  Status prove_parts(Work& work, const std::vector<Part>& parts, const std::stop_token& stop);
  // `marker`: the source's ETag, where the copy has to name it; `copy_etag`: what the copy's will be, where that is
  // known.
  Result<PutRequest> request_for(const Work& work, const Head& head, const std::string& marker,
                                 const std::string& copy_etag, const std::stop_token& stop);
  Status look_at_target(Work& work, const std::stop_token& stop);
  Result<Outcome> look_again(Work& work, const std::stop_token& stop);
  Status keep_foreign(Work& work, const std::stop_token& stop);
  Result<Outcome> gone(Work& work, const std::stop_token& stop);
  // kConflict where what is to be overwritten is no longer there, as far as only looking can tell.
  Status confirm(const Work& work, bool conditional, const std::stop_token& stop);
  Status prove(Work& work, const std::string& digest);

  Route& route_;
  UploadRecords& records_;
  const std::function<void(std::shared_ptr<Multipart>)> share_;
};

}  // namespace twinspan::s3
