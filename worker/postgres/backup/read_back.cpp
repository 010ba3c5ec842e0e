#include "worker/postgres/backup/read_back.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "backup/read_back.hpp"
#include "core/log.hpp"

namespace twinspan::worker {
namespace {

constexpr std::chrono::hours kLongest{24};
constexpr size_t kNamedMost = 3;  // objects that are named for people
constexpr size_t kLabelsMost = 1000;

std::string words_of(const backup::ReadBack& found, const std::vector<std::string>& damages) {
  if (found.whole)
    return fmt::format("{} backups and {} segments of log were read", found.valid.size(), found.segments);
  std::string words;
  const auto add = [&](const std::string& more) { words += (words.empty() ? "" : "; ") + more; };
  if (!found.invalid.empty()) add(fmt::format("backups that it hit: {}", fmt::join(found.invalid, ", ")));
  if (found.segments != found.segments_valid)
    add(fmt::format("{} of {} segments of log are damaged", found.segments - found.segments_valid, found.segments));
  for (const std::string& one : damages) add(one);
  return words.empty() ? "pgbackrest verify says error, and not of what" : words;
}

}  // namespace

BackupReport::Read read_back(const PgBackRest& program, const std::string& asked, const std::stop_token& stop) {
  BackupReport::Read answer;
  answer.asked = asked;
  answer.outcome = BackupReport::Read::Outcome::kFailed;
  std::vector<std::string> damages;
  const PgBackRest::How how{kLongest, true, [&](std::string_view line) {
                              if (damages.size() >= kNamedMost) return;
                              if (std::string one = backup::damage_in(line); !one.empty())
                                damages.push_back(std::move(one));
                            }};
  const auto done = program.run_checked({"--output=text", "--verbose", "verify"}, how, stop);
  const auto found = done ? backup::parse_read_back(done->out) : std::unexpected(done.error());
  if (!found) {
    answer.message = found.error().message;
    return answer;
  }
  answer.message = words_of(*found, damages);
  if (found->whole) answer.outcome = BackupReport::Read::Outcome::kPassed;
  // Which backups need a damaged segment is not said: then none is known to be whole.
  if (found->segments == found->segments_valid) answer.whole = found->valid;
  if (answer.whole.size() > kLabelsMost)
    answer.whole.erase(answer.whole.begin(), answer.whole.end() - static_cast<ptrdiff_t>(kLabelsMost));
  return answer;
}

void ReadBack::want(const std::optional<std::string>& asked, const std::optional<PgBackRest>& program) {
  if (begun_ == asked || (asked && !program)) return;
  thread_.stop();
  begun_ = asked;
  if (!asked) return;
  BackupReport::Read begun;
  begun.asked = *asked;
  tell_(begun);
  log::info("the repository is read", {{"asked", *asked}});
  thread_.start([this, asked = *asked, program = *program](const std::stop_token& stop) {
    const BackupReport::Read answer = read_back(program, asked, stop);
    if (stop.stop_requested()) return;
    log::info("the repository was read", {{"found", answer.message}});
    tell_(answer);
  });
}

}  // namespace twinspan::worker
