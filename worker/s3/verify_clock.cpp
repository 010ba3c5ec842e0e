#include "worker/s3/verify_clock.hpp"

#include "core/cron.hpp"

namespace twinspan::worker_s3 {
namespace {

constexpr std::chrono::seconds kAgain{10};

std::string wanted_request(const api::ReplicationLink& link) {
  const auto found = link.metadata.annotations.find(std::string(kVerifyAnnotation));
  return found == link.metadata.annotations.end() ? "" : found->second;
}

}  // namespace

bool VerifyClock::asked_anew(const api::ReplicationLink& link, WallTime now) {
  const std::string schedule = link.spec.s3.verification.schedule.value_or("");
  if (schedule != schedule_) {
    schedule_ = schedule;
    const auto cron = schedule.empty() ? Result<Cron>(fail(Code::kNotFound, "")) : parse_cron(schedule);
    next_ = cron ? next_after(*cron, now) : std::nullopt;
  }
  const std::string request = wanted_request(link);
  const auto& known = link.status.verification;
  const bool answered_before = known && known->request && *known->request == request;
  if (!request.empty() && request != request_ && request != answered_ && !answered_before) {
    request_ = request;
    return true;
  }
  if (!next_ || now < *next_) return false;
  next_ = next_after(*parse_cron(schedule_), now);
  return !asked_at_;  // one that runs serves both
}

void VerifyClock::runs_changed() {
  request_.clear();
  answered_.clear();
}

bool VerifyClock::due(const api::ReplicationLink& link, WallTime now, std::optional<WallTime> finished_at) {
  if (asked_anew(link, now)) {
    asked_at_ = begun_at_ = now;
    return true;
  }
  if (!asked_at_) return false;
  if (finished_at && *finished_at >= *asked_at_) {
    answered_ = request_;
    asked_at_.reset();
    return false;
  }
  if (now - *begun_at_ < kAgain) return false;
  begun_at_ = now;
  return true;
}

}  // namespace twinspan::worker_s3
