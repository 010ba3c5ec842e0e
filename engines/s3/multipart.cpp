#include "engines/s3/multipart.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engines/s3/likeness.hpp"
#include "s3/digest.hpp"

namespace twinspan::s3 {

Multipart::Multipart(Route& route, ObjectName source, std::string source_etag, PartPlan plan, Upload upload,
                     PartEtags done, std::optional<Sealing> sealing, Keep keep)
    : route_(route),
      source_(std::move(source)),
      source_etag_(std::move(source_etag)),
      plan_(plan),
      upload_(std::move(upload)),
      sealing_(std::move(sealing)),
      keep_(std::move(keep)),
      etags_(std::move(done)),
      kept_(route.clock.boot_now()) {
  etags_.resize(static_cast<size_t>(plan.count));
  done_ = static_cast<int>(std::ranges::count_if(etags_, [](const std::string& etag) { return !etag.empty(); }));
  reopen();
}

void Multipart::reopen() {
  MutexLock lock(mutex_);
  error_.reset();
  todo_.clear();
  for (int number = plan_.count; number >= 1; --number)
    if (etags_[static_cast<size_t>(number) - 1].empty()) todo_.push_back(number);
}

size_t Multipart::unclaimed() const {
  MutexLock lock(mutex_);
  return error_ ? 0 : todo_.size();
}

int Multipart::done_count() const {
  MutexLock lock(mutex_);
  return done_;
}

void Multipart::carry_parts(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  while (!error_ && !todo_.empty()) {
    const int number = todo_.back();
    todo_.pop_back();
    ++carrying_;
    lock.unlock();
    Result<Part> part = carry(number, stop);
    lock.lock();
    if (part) {
      etags_[static_cast<size_t>(number) - 1] = std::move(part->etag);
      ++done_;
      const BootTime now = route_.clock.boot_now();
      if (!keeping_ && done_ < plan_.count && now - kept_ >= route_.settings.record_parts_after) {
        keeping_ = true;
        kept_ = now;
        const PartEtags etags = etags_;
        lock.unlock();
        keep_(etags, stop);
        lock.lock();
        keeping_ = false;
      }
    } else if (!error_) {
      error_ = part.error();
    }
    --carrying_;
  }
  waker_.notify_all();
}

Status Multipart::finish() {
  MutexLock lock(mutex_);
  waker_.wait(lock.native(), [this]() REQUIRES(mutex_) { return carrying_ == 0; });
  if (error_) return std::unexpected(*error_);
  return {};
}

std::vector<Part> Multipart::parts() const {
  MutexLock lock(mutex_);
  std::vector<Part> parts;
  for (int number = 1; number <= plan_.count; ++number)
    parts.push_back({number, etags_[static_cast<size_t>(number) - 1], plan_.range(number).size_bytes});
  return parts;
}

namespace {

Error lost(const Error& error) {
  return error.code == Code::kNotFound ? Error{Code::kInternal, "the upload is gone: " + error.message, true} : error;
}

}  // namespace

// The same content gives the same part, whenever and by whomever it is carried.
Result<Part> Multipart::carry_sealed(int number, const std::stop_token& stop) {
  const ByteRange part = plan_.range(number);
  const ByteRange content = sealed_content(part, static_cast<int64_t>(sealing_->header.original_bytes));
  const auto room = route_.buffers.reserve(static_cast<size_t>(part.size_bytes + content.size_bytes), stop);
  if (!room) return fail(Code::kCancelled, "stopped");
  std::string bytes, sealed;
  bytes.reserve(static_cast<size_t>(content.size_bytes));
  sealed.reserve(static_cast<size_t>(part.size_bytes));
  const auto read = read_source(route_, source_, source_etag_, content, bytes, content.size_bytes, stop);
  if (!read) return std::unexpected(read.error());
  if (Status done = seal_part(*sealing_->key, sealing_->header, part.first, number == plan_.count, bytes, sealed);
      !done)
    return std::unexpected(done.error());
  auto written = route_.target.bucket.upload_part(upload_, number, sealed, stop);
  if (!written) return std::unexpected(lost(written.error()));
  return written;
}

Result<Part> Multipart::carry(int number, const std::stop_token& stop) {
  if (sealing_) return carry_sealed(number, stop);
  const ByteRange range = plan_.range(number);
  if (route_.settings.same_endpoint) {
    auto copied = route_.target.bucket.copy_part(upload_, number, route_.source.bucket.name(),
                                                 route_.at_source(source_.key), source_etag_, range, stop);
    if (!copied) return std::unexpected(lost(copied.error()));
    return copied;
  }
  if (route_.target.bucket.streams()) {
    const BodySource body{range.size_bytes, [&](const auto& write) {
                            return pass_source(route_, source_, source_etag_, range, write, stop);
                          }};
    auto written = route_.target.bucket.stream_part(upload_, number, body, stop);
    if (!written) return std::unexpected(lost(written.error()));
    return written;
  }
  auto buffer = route_.buffers.acquire(static_cast<size_t>(range.size_bytes), stop);
  if (!buffer) return fail(Code::kCancelled, "stopped");
  const auto read = read_source(route_, source_, source_etag_, range, *buffer, range.size_bytes, stop);
  if (!read) return std::unexpected(read.error());
  auto written = route_.target.bucket.upload_part(upload_, number, buffer->bytes(), stop);
  if (!written) return std::unexpected(lost(written.error()));
  return written;
}

std::optional<std::string> multipart_etag(const std::vector<Part>& parts) {
  std::string digests;
  for (const Part& part : parts) {
    const auto digest = md5_in(part.etag);
    if (!digest) return std::nullopt;
    digests += *digest;
  }
  return fmt::format("{}-{}", to_hex(md5_of(digests)), parts.size());
}

}  // namespace twinspan::s3
