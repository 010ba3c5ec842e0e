// Which multi-part uploads into the target are ours: written down in the target bucket before they begin, so that
// whoever comes after a crash resumes or aborts them. Uploads of others are left alone.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/guarded.hpp"
#include "core/json.hpp"
#include "engines/s3/part_plan.hpp"
#include "engines/s3/route.hpp"

namespace twinspan::s3 {

struct UploadRecord {
  std::string key;          // below the link's prefix
  std::string source_etag;  // of the content its parts hold
  PartPlan plan;
  // As StoredForm::mark() has it. Only what is sealed and not compressed can be gone on with, by the salt it began
  // with.
  std::string form{}, salt{};
  // Once it is answered for: the upload, and the ETags of acknowledged parts, by part number - 1 ("": not yet). A part
  // that is merely there proves nothing: servers were seen to keep a part whose upload was cut off, in its full size,
  // with zeros for what did not come.
  std::string upload_id{};
  std::vector<std::string> part_etags{};
  bool operator==(const UploadRecord&) const = default;
};

Json to_json(const UploadRecord& record);
Result<UploadRecord> parse_upload_record(const std::string& text);

// An upload as a former process left it.
struct HalfDone {
  UploadRecord record;
  Upload upload;
};

class UploadRecords {
 public:
  explicit UploadRecords(Route& route) : route_(route) {}

  // Before the upload is created. Where a former try's answer was lost, what it may have created is aborted first.
  Status write(const UploadRecord& record, std::stop_token stop);
  void created(const std::string& key);  // the answer arrived: the upload is known
  // Which of its parts are finished, in place of what was written before. Only between created() and erase().
  Status update(const UploadRecord& record, std::stop_token stop);
  Status erase(const std::string& key, std::stop_token stop);
  // Reads the records of our share and finds their uploads. Only while nothing of it is under way. On an error nothing
  // may be uploaded: a record written over another would leave that one's upload to nobody.
  Status recover(std::stop_token stop);
  // The upload that recover() found for this content in this form: the caller's from then on. Any other one is aborted,
  // and so is one that can't be gone on with.
  Result<std::optional<HalfDone>> claim(const std::string& key, const std::string& source_etag, const std::string& form,
                                        std::stop_token stop);
  // Aborts what was found and not claimed.
  Status abandon(std::stop_token stop);
  // One upload and its record.
  Status abort(const std::string& key, const Upload& upload, std::stop_token stop);

 private:
  std::string folder() const;
  std::string name_of(const std::string& key) const;
  Status sweep(const std::string& key, std::stop_token stop);
  Result<std::vector<Upload>> uploads_of(const std::string& key, const std::string& upload_id, WallTime recorded,
                                         std::stop_token stop);
  Status recover_one(const Listed& stored, std::stop_token stop);

  Route& route_;
  Mutex mutex_;
  std::map<std::string, HalfDone> found_ GUARDED_BY(mutex_);
  std::set<std::string> unanswered_ GUARDED_BY(mutex_);  // keys whose upload was asked for and not answered
};

}  // namespace twinspan::s3
