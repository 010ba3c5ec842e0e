#include "engines/s3/part_writer.hpp"

#include "engines/s3/part_plan.hpp"

namespace twinspan::s3 {

PartWriter::PartWriter(Bucket& bucket, Upload upload, int64_t part_bytes)
    : bucket_(bucket), upload_(std::move(upload)), part_bytes_(static_cast<size_t>(part_bytes)) {
  held_.reserve(part_bytes_);
}

Status PartWriter::send(const std::stop_token& stop) {
  const int number = static_cast<int>(parts_.size()) + 1;
  if (number > kPartsMax) return fail(Code::kInvalid, "more than 10,000 parts");
  auto part = bucket_.upload_part(upload_, number, held_, stop);
  if (!part) return std::unexpected(part.error());
  parts_.push_back(std::move(*part));
  held_.clear();
  return {};
}

Status PartWriter::write(std::string_view bytes, const std::stop_token& stop) {
  while (!bytes.empty()) {
    if (held_.size() == part_bytes_)
      if (Status sent = send(stop); !sent) return sent;
    const std::string_view taken = bytes.substr(0, part_bytes_ - held_.size());
    held_ += taken;
    bytes.remove_prefix(taken.size());
  }
  return {};
}

Result<std::vector<Part>> PartWriter::finish(const std::stop_token& stop) {
  if (!held_.empty() || parts_.empty())
    if (Status sent = send(stop); !sent) return std::unexpected(sent.error());
  return std::move(parts_);
}

}  // namespace twinspan::s3
