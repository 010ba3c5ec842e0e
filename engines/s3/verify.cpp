#include "engines/s3/verify.hpp"

#include <fmt/format.h>

#include "core/log.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "engines/s3/content.hpp"
#include "engines/s3/history.hpp"
#include "engines/s3/likeness.hpp"
#include "engines/s3/read_back.hpp"
#include "engines/s3/state_objects.hpp"

namespace twinspan::s3 {
namespace {

constexpr size_t kSampleMax = 100;

void add_sample(std::vector<std::string>& sample, std::vector<std::string>& more) {
  for (std::string& key : more)
    if (sample.size() < kSampleMax) sample.push_back(std::move(key));
}

}  // namespace

Verification::Verification(Route& route, VerifySettings settings)
    : route_(route),
      settings_(settings),
      walk_settings_(route.settings),
      index_(route),
      walk_(walk_settings_, route.source, route.target) {
  // Objects are looked at by those who list: as many at once as may be transferred.
  if (settings.metadata || settings.read_back)
    walk_settings_.listers = std::max(walk_settings_.listers, route.settings.objects_at_once.max);
}

VerificationReport Verification::run(std::stop_token stop) {
  std::vector<KeyRange> ranges = resume(stop);
  Status walked;
  {
    RoleThread saver("verify-saver", [&](const std::stop_token& done) {
      while (wait_for(settings_.save_interval, done)) save(stop);
    });
    walked = walk_.run(
        std::move(ranges), [&](const Listed* source, const Listed* target) { return visit(source, target, stop); },
        stop, [this] { take_over_found(); });
  }
  {
    const std::vector<KeyRange> rest = walk_.rest();
    MutexLock lock(mutex_);
    report_.complete = walked.has_value();
    if (!walked) report_.error = walked.error().message;
    if (walked) report_.finished_at = route_.clock.wall_now();
    report_.rest = rest;
    report_.consistent =
        walked && report_.missing == 0 && report_.different == 0 &&
        (report_.extra == 0 || (!route_.settings.both_ways && route_.settings.deletes.mode == DeleteMode::kIgnore));
  }
  const VerificationReport report = progress();
  if (!stop.stop_requested())
    if (Status saved = write_state(route_.target.bucket, verification_key(route_.settings.link, route_.settings.share),
                                   to_json(report), stop);
        !saved)
      log::warn("verification report not stored", {{"link", route_.settings.link}, {"error", saved.error().message}});
  return report;
}

std::vector<KeyRange> Verification::resume(const std::stop_token& stop) {
  const auto text =
      read_state(route_.target.bucket, verification_key(route_.settings.link, route_.settings.share), stop);
  const auto before = text ? parse_verification_report(Json::parse(*text, nullptr, false))
                           : Result<VerificationReport>(std::unexpected(text.error()));
  MutexLock lock(mutex_);
  if (before && !before->complete && !before->rest.empty() && before->metadata == settings_.metadata &&
      before->division == route_.settings.share.division) {
    report_ = *before;
    report_.error.clear();
    return report_.rest;
  }
  report_.division = route_.settings.share.division;
  report_.metadata = settings_.metadata;
  report_.started_at = route_.clock.wall_now();
  return {KeyRange{}};
}

Status Verification::visit(const Listed* source, const Listed* target, const std::stop_token& stop) {
  if (!route_.settings.share.has(source ? source->key : target->key)) return {};
  if (route_.settings.all_versions) return visit_versions(source, target, stop);
  if (!source) {
    count(&Found::extra, &Found::extra_sample, target->key);
    return {};
  }
  if (source->key.empty() && route_.target.prefix.empty()) return {};
  if (!target) {
    count(&Found::missing, &Found::missing_sample, source->key);
    count(&Found::checked, nullptr, "");
    return {};
  }
  const Result<bool> equal = same(*source, *target, stop);
  if (!equal) return std::unexpected(equal.error());
  if (!*equal) count(&Found::different, &Found::different_sample, source->key);
  count(&Found::checked, nullptr, "");
  return {};
}

// Of each key's newest kHistoryListed versions.
Status Verification::visit_versions(const Listed* source, const Listed* target, const std::stop_token& stop) {
  if (!source) {
    if (!target->delete_marker) count(&Found::extra, &Found::extra_sample, target->key);
    return {};
  }
  if (source->key.empty() && route_.target.prefix.empty()) return {};
  Histories both{history_of(source), history_of(target)};
  if (route_.settings.deletes.mode == DeleteMode::kIgnore) drop_markers(both);
  const auto missing = missing_versions(both.source, both.target, [&](const Version& copy) -> Result<MadeFrom> {
    const auto head = route_.target.bucket.head({route_.at_target(source->key), copy.id}, stop);
    if (!head && head.error().code == Code::kNotFound) return MadeFrom{};
    if (!head) return std::unexpected(head.error());
    return made_from_mark(head->metadata);
  });
  if (!missing) return std::unexpected(missing.error());
  for (const size_t i : *missing)
    count(&Found::missing, &Found::missing_sample, fmt::format("{} (version {})", source->key, both.source[i].id));
  if (source->delete_marker && target && !target->delete_marker)
    count(&Found::extra, &Found::extra_sample, source->key);
  const bool newest_missing = !missing->empty() && missing->back() + 1 == both.source.size();
  if (!source->delete_marker && !newest_missing) {
    const Result<bool> equal = target && !target->delete_marker ? same(*source, *target, stop) : false;
    if (!equal) return std::unexpected(equal.error());
    if (!*equal) count(&Found::different, &Found::different_sample, source->key);
  }
  count(&Found::checked, nullptr, "");
  return {};
}

Result<bool> Verification::same(const Listed& source, const Listed& target, const std::stop_token& stop) {
  const Likeness alike = likeness(route_.settings, source, target);
  if (alike == Likeness::kDifferent) return false;
  Known known = alike == Likeness::kUnsure ? Known::kNothing : Known::kSame;
  // A two-way link remembers otherwise: what an index says is of a time when it went one way.
  if (known == Known::kNothing && !route_.settings.both_ways) known = index_.look(source, target, stop);
  if (known == Known::kOther) return false;
  if (known == Known::kNothing) {
    const Result<bool> made = same_content(route_, source, target.etag, stop);
    if (!made && made.error().code == Code::kGone) return true;  // removed meanwhile: no longer to be compared
    if (!made || !*made) return made;
  }
  if (settings_.read_back) {
    const Result<bool> back = reads_back(route_, source, target, stop);
    if (!back || !*back) return back;
  }
  if (!settings_.metadata) return true;
  const Result<bool> same = same_metadata(route_, source, target, stop);
  if (same && !*same && settings_.metadata_differs) settings_.metadata_differs(source.key);
  return same;
}

void Verification::count(uint64_t Found::*counter, std::vector<std::string> Found::*sample, const std::string& key) {
  MutexLock lock(mutex_);
  Found& found = found_[std::this_thread::get_id()];
  ++(found.*counter);
  if (sample && (found.*sample).size() < kSampleMax) (found.*sample).push_back(key);
}

void Verification::take_over_found() {
  MutexLock lock(mutex_);
  Found& found = found_[std::this_thread::get_id()];
  report_.checked += found.checked;
  report_.missing += found.missing;
  report_.different += found.different;
  report_.extra += found.extra;
  add_sample(report_.missing_sample, found.missing_sample);
  add_sample(report_.different_sample, found.different_sample);
  add_sample(report_.extra_sample, found.extra_sample);
  found = {};
}

void Verification::save(const std::stop_token& stop) {
  VerificationReport report;
  walk_.with_rest([&](std::vector<KeyRange> rest) {
    MutexLock lock(mutex_);
    report_.rest = std::move(rest);
    report = report_;
  });
  if (report.rest.empty()) return;  // not begun, or done
  if (Status saved = write_state(route_.target.bucket, verification_key(route_.settings.link, route_.settings.share),
                                 to_json(report), stop);
      !saved && !stop.stop_requested())
    log::warn("verification report not stored", {{"link", route_.settings.link}, {"error", saved.error().message}});
}

VerificationReport Verification::progress() const {
  MutexLock lock(mutex_);
  return report_;
}

}  // namespace twinspan::s3
