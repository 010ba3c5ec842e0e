#include "worker/postgres/object_keeper.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/log.hpp"
#include "core/text.hpp"

namespace twinspan::worker {
namespace {

using Troubles = std::vector<ObjectsReport::Trouble>;

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// A person mends the first few and sees the next.
Troubles the_first_of(Troubles troubles) {
  constexpr size_t kToldMost = 20;
  if (troubles.size() <= kToldMost) return troubles;
  const size_t more = troubles.size() - kToldMost;
  troubles.resize(kToldMost);
  troubles.push_back({"others", fmt::format("{} more, told once these are in force", more)});
  return troubles;
}

// No word on the Secret: it may be there.
bool is_unanswered(const Error& error) { return error.code != Code::kNotFound && error.code != Code::kInvalid; }

}  // namespace

// Where the API server does not answer, the password that was read last goes on.
ObjectKeeper::Passwords ObjectKeeper::read_passwords(const DesiredObjects& desired, Troubles& troubles,
                                                     const std::stop_token& stop) {
  Passwords passwords;
  std::optional<Error> away;  // who did not answer once is not asked for each of a hundred
  for (const DesiredObjects::Role& role : desired.roles) {
    if (!role.password || role.wanted.absent) continue;
    const auto read = away ? std::unexpected(*away) : source_.read(*role.password, stop);
    const auto known = passwords_.find(role.wanted.name);
    if (!read && is_unanswered(read.error())) {
      unanswered_ = true;
      if (read.error().code != Code::kDenied) away = read.error();
    }
    if (read) {
      passwords[role.wanted.name] = *read;
    } else if (!is_unanswered(read.error())) {
      troubles.push_back({"role " + role.wanted.name, "passwordSecretRef: " + read.error().message});
    } else if (known != passwords_.end()) {
      passwords.insert(*known);
    } else {
      troubles.push_back(
          {"role " + role.wanted.name, fmt::format("passwordSecretRef: Secret {} can't be read: {}",
                                                   role.password->name, one_line(read.error().message, 300))});
    }
  }
  return passwords;
}

void ObjectKeeper::tell_of_removed(const DesiredObjects& desired) {
  const std::vector<std::string> names = desired.names();
  const std::set<std::string> now(names.begin(), names.end());
  for (const std::string& name : declared_)
    if (!now.contains(name)) log::info("no longer declared, left as it is", {{"object", name}});
  declared_ = now;
}

Result<std::optional<ObjectsReport>> ObjectKeeper::keep(const DesiredObjects& desired, const Primary& primary,
                                                        const std::stop_token& stop) {
  tell_of_removed(desired);
  if (desired.asked.empty()) {
    done_.reset();
    return std::optional<ObjectsReport>();
  }
  const Wish wish{desired.asked, primary.owner, primary.life, primary.epoch};
  const BootTime now = clock_.boot_now();
  if (std::exchange(wished_, desired.asked) != desired.asked) wished_at_ = now;
  const bool new_wish = done_ != wish;
  if (!new_wish && now < read_at_) return said_;
  Troubles troubles;
  unanswered_ = false;
  Passwords passwords = read_passwords(desired, troubles, stop);
  if (stop.stop_requested()) return fail(Code::kCancelled, "stopped");
  // The operator widens our rights with a new wish, and that may come a little later: nobody need be called for it.
  const bool awaited = unanswered_ && !troubles.empty() && now - wished_at_ < kGrace;
  const bool same = !new_wish && troubles == unread_ && passwords == passwords_;
  passwords_ = std::move(passwords);
  unread_ = troubles;
  read_at_ = now + (unread_.empty() ? kSecretsInterval : awaited ? kSoon : kRetry);
  if (same && now < look_at_) {
    if (!awaited) said_.asked = desired.asked;
    return said_;
  }
  if (!same) retry_ = kRetry;

  std::vector<postgres::Objects::Role> roles;
  for (const DesiredObjects::Role& role : desired.roles) {
    if (role.wanted.name == primary.owner) {
      troubles.push_back({"role " + role.wanted.name, "is the database's owner by its Secret, take it off the list"});
      continue;
    }
    const auto known = passwords_.find(role.wanted.name);
    roles.push_back({role.wanted, known == passwords_.end() ? std::nullopt : std::optional(known->second)});
  }
  std::vector<postgres::WantedDatabase> databases = desired.databases;
  for (postgres::WantedDatabase& database : databases)
    if (database.owner.empty()) database.owner = primary.owner;
  const auto outcome = objects_.ensure(primary.layout, primary.port, roles, databases, stop);
  if (!outcome) {
    done_.reset();  // what was read is not in force
    return std::unexpected(outcome.error());
  }
  if (!outcome->changed.empty()) log::info("brought to what is declared", {{"objects", joined(outcome->changed)}});
  for (const auto& [object, words] : outcome->troubles) troubles.push_back({object, words});
  if (troubles != said_.troubles)
    for (const auto& [object, words] : troubles) log::warn("not as declared", {{"object", object}, {"error", words}});
  said_ = {desired.asked, the_first_of(std::move(troubles))};
  if (awaited) said_.asked.clear();
  done_ = wish;
  look_at_ = now + (said_.troubles.empty() ? kLookInterval : retry_);
  if (!said_.troubles.empty()) {
    read_at_ = std::min(read_at_, look_at_);
    retry_ = std::min(2 * retry_, kRetryMax);
  }
  return said_;
}

}  // namespace twinspan::worker
