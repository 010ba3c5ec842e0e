#include "engines/s3/conflict_copy.hpp"

#include <fmt/format.h>

#include "engines/s3/part_plan.hpp"
#include "s3/digest.hpp"

namespace twinspan::s3 {
namespace {

constexpr size_t kKeyBytesMax = 1024;

bool folds(std::string_view key) {
  if (key.ends_with('/') || key.starts_with('/')) return true;
  for (size_t at = 0; at <= key.size();) {
    const size_t end = std::min(key.find('/', at), key.size());
    const std::string_view step = key.substr(at, end - at);
    if (step.empty() || step == "." || step == "..") return true;
    at = end + 1;
  }
  return false;
}

Status as_status(const Error& error) {
  if (error.code == Code::kNotFound) return fail(Code::kConflict, error.message);
  return std::unexpected(error);
}

// More than one copy may be: in parts. An upload that a former process began is of the same bytes, and goes first.
Status keep_in_parts(const Side& side, const std::string& key, const Listed& loser, const std::string& name,
                     const std::stop_token& stop) {
  const auto head = side.bucket.head(key, stop);
  if (!head) return as_status(head.error());
  const auto plan = plan_parts(loser.size_bytes, {}, kPartBytesMax);
  if (!plan) return std::unexpected(plan.error());
  const auto left = side.bucket.list_uploads(name, stop);
  if (!left) return std::unexpected(left.error());
  for (const Upload& upload : *left)
    if (upload.key == name)
      if (Status aborted = side.bucket.abort_upload(upload, stop); !aborted) return aborted;
  const auto id = side.bucket.create_upload({name, head->metadata}, stop);
  if (!id) return std::unexpected(id.error());
  const Upload upload{name, *id, {}};
  std::vector<Part> parts;
  Status done;
  for (int number = 1; done && number <= plan->count; ++number) {
    auto part = side.bucket.copy_part(upload, number, side.bucket.name(), key, loser.etag, plan->range(number), stop);
    if (part)
      parts.push_back(std::move(*part));
    else
      done = as_status(part.error());
  }
  if (done)
    if (const auto completed = side.bucket.complete_upload(upload, parts, {}, stop); !completed)
      done = std::unexpected(completed.error());
  if (!done) (void)side.bucket.abort_upload(upload, stop);  // else the next try does
  return done;
}

}  // namespace

std::string conflict_name(const std::string& key, const std::string& etag) {
  const std::string folder = fmt::format("{}conflicts/", kReservedPrefix), end = "/" + etag;
  if (!folds(key) && folder.size() + key.size() + end.size() <= kKeyBytesMax) return folder + key + end;
  std::string readable;
  for (char c : key.substr(0, 200))
    readable += std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' ? c : '_';
  return fmt::format("{}{}~{}{}", folder, readable, to_hex(sha256_of(key)), end);
}

Status keep_loser(const Side& side, const Listed& loser, const std::stop_token& stop) {
  const std::string key = side.prefix + loser.key, name = conflict_name(key, loser.etag);
  if (loser.size_bytes > kCopyBytesMax) return keep_in_parts(side, key, loser, name, stop);
  const auto copied = side.bucket.copy(side.bucket.name(), key, loser.etag, PutRequest{name}, stop);
  return copied ? Status{} : as_status(copied.error());
}

}  // namespace twinspan::s3
