#include "engines/kafka/groups.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "engines/kafka/group_questions.hpp"
#include "engines/kafka/topic_plan.hpp"

namespace twinspan::kafka_engine {
namespace {

using kafka::ErrorCode;
using Known = GroupMemory::Known;

constexpr std::string_view kHasMembers =
    "it has members at the target, so that it is theirs; it is carried again once it is empty and stands where it was "
    "left";

std::string refusal(std::string_view side, std::string_view rights, ErrorCode error) {
  std::string next = "it is tried again by itself";
  if (error == ErrorCode::kGroupAuthorizationFailed)
    next = fmt::format("give the link's user {} on the group there, it is tried again by itself", rights);
  if (error == ErrorCode::kTopicAuthorizationFailed)
    next = "give the link's user Read on the group's topics there, it is tried again by itself";
  return fmt::format("the {} refuses: {}; {}", side, to_string(error), next);
}

// One look at all groups.
class Look {
 public:
  Look(kafka::Cluster& source, kafka::Cluster& target, const GroupWish& wish, GroupMemory& memory, const Clock& clock,
       const std::stop_token& stop)
      : source_(source), target_(target), wish_(wish), memory_(memory), clock_(clock), stop_(stop) {}

  GroupsLooked run() {
    asked_at_ = clock_.boot_now();
    if (list_sources() && fetch_sources() && list_targets()) carry();
    for (auto& [name, known] : memory_.groups) {
      if (!known.state || *known.state == GroupState::kActive || *known.state == GroupState::kMoved ||
          *known.state == GroupState::kNotCarried) {
        known.known_since = clock_.boot_now();
        known.in_sync_at.reset();
        known.stable_at.clear();
      }
    }
    return std::move(looked_);
  }

 private:
  struct Carried {
    GroupPositions source;
    std::set<PartitionName> unstable;         // that have positions in transactions which are not ended
    int32_t coordinator = kafka::kAnyBroker;  // at the target
  };

  void not_whole(std::string_view side, const std::string& why) {
    if (looked_.trouble.empty()) looked_.trouble = fmt::format("{}: {}", side, why);
  }
  bool silent(Side side, const Error& error) {
    looked_.silent = side;
    not_whole(side == Side::kSource ? "source" : "target", error.message);
    return false;
  }
  void set(const std::string& group, std::optional<GroupState> state, std::string message = {}) {
    Known& known = memory_.groups.at(group);
    known.state = state;
    known.message = std::move(message);
  }
  // What a broker said of a group that it was asked about. False: there is nothing more to be done about it now.
  bool heard(const std::string& group, std::string_view side, std::string_view rights, ErrorCode error,
             const std::string& silence) {
    if (!silence.empty()) {
      not_whole(side, fmt::format("group {}: {}", group, silence));
      return false;
    }
    switch (meaning_of(error)) {
      case GroupAnswer::kFine: return true;
      case GroupAnswer::kLater:
        // A transaction that is not ended yet is the group's own, and no side's silence.
        if (error != ErrorCode::kUnstableOffsetCommit)
          not_whole(side, fmt::format("group {}: {}", group, to_string(error)));
        return false;
      case GroupAnswer::kMembers: set(group, GroupState::kActive, std::string(kHasMembers)); return false;
      case GroupAnswer::kRefused: set(group, GroupState::kRefused, refusal(side, rights, error)); return false;
    }
    return false;
  }

  void know(const std::string& group) {
    const auto [at, is_new] = memory_.groups.try_emplace(group);
    if (is_new) at->second.known_since = asked_at_;
    at->second.missed = 0;
    told_.insert(group);
  }

  bool list_sources();
  bool fetch_sources();
  bool list_targets();
  void carry();
  void commit(std::map<std::string, GroupPlan> plans);
  void committed(const std::string& group, const GroupPlan& plan, const CommittedGroup& answer);
  void settled(const std::string& group, const GroupPlan& plan);

  kafka::Cluster &source_, &target_;
  const GroupWish& wish_;
  GroupMemory& memory_;
  const Clock& clock_;
  const std::stop_token& stop_;
  GroupsLooked looked_;
  BootTime asked_at_;
  std::set<std::string> told_;              // that there are, at the source
  std::map<std::string, int32_t> sources_;  // to be asked for, and their coordinators
  std::map<std::string, Carried> carried_;
};

// Which groups there are, of those that are chosen.
bool Look::list_sources() {
  const auto list = list_groups(source_, stop_);
  if (!list) return silent(Side::kSource, list.error());
  if (!list->trouble.empty()) not_whole("source", list->trouble);
  for (const auto& [group, one] : list->groups) {
    if (!wish_.choice.chooses(group)) continue;
    if (one.is_share() || one.is_streams()) {
      know(group);
      set(group, GroupState::kNotCarried,
          one.is_share()
              ? "a share group, which has no position of this kind; begin it at the target by itself, and "
                "leave it out here (spec.kafka.groups.exclude)"
              : "a streams group, whose state is not carried; begin it at the target by itself, and leave it "
                "out here (spec.kafka.groups.exclude)");
    } else if (one.is_consumers()) {
      know(group);
      sources_[group] = one.coordinator;
    }
  }
  // Nobody tells of a group that may not be described, unless it is asked for by name.
  std::set<std::string> untold;
  for (const std::string& group : wish_.choice.named())
    if (wish_.choice.chooses(group) && !list->groups.contains(group) && list->silent.empty()) untold.insert(group);
  for (const auto& [group, found] : find_coordinators(source_, list->told, untold, stop_))
    if (found.silence.empty() && found.error == ErrorCode::kGroupAuthorizationFailed) {
      know(group);
      set(group, GroupState::kRefused, refusal("source", "Describe", found.error));
    }
  for (auto at = memory_.groups.begin(); at != memory_.groups.end();) {
    const auto one = at++;
    const bool missed = list->silent.empty() && !told_.contains(one->first);
    if (!wish_.choice.chooses(one->first) || (missed && ++one->second.missed >= kGroupMissedBeforeGone))
      memory_.groups.erase(one);
  }
  return !stop_.stop_requested();
}

// Where they stand in what is carried.
bool Look::fetch_sources() {
  for (auto& [group, got] : fetch_positions(source_, sources_, stop_)) {
    const auto is_of_others = [&](const auto& one) { return !wish_.rules.partitions.contains(one.first); };
    std::erase_if(got.errors, is_of_others);
    std::erase_if(got.positions, is_of_others);
    if (got.error == ErrorCode::kGroupIdNotFound) got = {};  // deleted since it was listed
    std::set<PartitionName> unstable;
    for (const auto& [name, error] : got.errors)
      if (error == ErrorCode::kUnstableOffsetCommit) unstable.insert(name);
    std::erase_if(got.errors, [](const auto& one) { return one.second == ErrorCode::kUnstableOffsetCommit; });
    if (!heard(group, "source", "Describe", got.worst(), got.silence)) continue;
    if (!got.positions.empty())
      carried_[group] = {std::move(got.positions), std::move(unstable), kafka::kAnyBroker};
    else if (unstable.empty())
      set(group, std::nullopt);
  }
  return !stop_.stop_requested();
}

// Their coordinators at the target, and which of them are used there.
bool Look::list_targets() {
  if (carried_.empty()) return true;
  const auto list = list_groups(target_, stop_);
  if (!list) return silent(Side::kTarget, list.error());
  if (!list->trouble.empty()) not_whole("target", list->trouble);
  std::set<std::string> unlisted;
  for (auto at = carried_.begin(); at != carried_.end();) {
    const auto one = at++;
    const auto listed = list->groups.find(one->first);
    if (listed == list->groups.end()) {
      unlisted.insert(one->first);
      continue;
    }
    one->second.coordinator = listed->second.coordinator;
    if (!listed->second.is_consumers())
      set(one->first, GroupState::kRefused,
          "at the target the name is of a group of another kind; give one of them another name, or leave it out here "
          "(spec.kafka.groups.exclude)");
    else if (listed->second.has_members())
      set(one->first, GroupState::kActive, std::string(kHasMembers));
    else
      continue;
    carried_.erase(one);
  }
  for (const auto& [group, found] : find_coordinators(target_, list->told, unlisted, stop_)) {
    const bool known = heard(group, "target", "Read and Describe", found.error, found.silence);
    // Of a broker that did not list its groups it is not known which of them have members.
    if (known && !list->silent.contains(found.broker))
      carried_[group].coordinator = found.broker;
    else
      carried_.erase(group);
  }
  return !stop_.stop_requested();
}

void Look::carry() {
  std::map<std::string, int32_t> coordinators;
  for (const auto& [group, one] : carried_) coordinators[group] = one.coordinator;
  std::map<std::string, GroupPlan> plans;
  const BootTime now = clock_.boot_now();
  size_t renewed = 0;
  for (auto& [group, got] : fetch_positions(target_, coordinators, stop_)) {
    if (got.error == ErrorCode::kGroupIdNotFound) got = {};  // it stands nowhere
    if (!heard(group, "target", "Read and Describe", got.worst(), got.silence)) continue;
    Known& known = memory_.groups.at(group);
    GroupFacts facts{carried_.at(group).source, std::move(got.positions), known.left,
                     now >= known.renew_at && renewed < kRenewedALook};
    GroupPlan plan = plan_group(facts, wish_.rules);
    if (facts.renew) known.renew_at = now + kRenewRetry;
    if (facts.renew && !plan.commit.empty()) ++renewed;
    plans.emplace(group, std::move(plan));
  }
  if (!stop_.stop_requested()) commit(std::move(plans));
}

void Look::commit(std::map<std::string, GroupPlan> plans) {
  std::vector<GroupCommit> commits;
  for (const auto& [group, plan] : plans) {
    if (plan.commit.empty())
      settled(group, plan);
    else
      commits.push_back({group, carried_.at(group).coordinator, plan.commit});
  }
  const auto answers = commit_positions(target_, commits, stop_);
  for (size_t i = 0; i < answers.size(); ++i) committed(commits[i].group, plans.at(commits[i].group), answers[i]);
}

void Look::committed(const std::string& group, const GroupPlan& plan, const CommittedGroup& answer) {
  ErrorCode worst = ErrorCode::kNone;
  for (const auto& [name, position] : plan.commit) {
    const auto said = answer.partitions.find(name);
    const ErrorCode error = said == answer.partitions.end() ? ErrorCode::kUnknownServerError : said->second;
    if (error == ErrorCode::kNone) memory_.groups.at(group).left[name] = position.offset;
    if (meaning_of(error) > meaning_of(worst)) worst = error;
  }
  if (!heard(group, "target", "Read and Describe", worst, answer.silence)) return;
  settled(group, plan);
  if (plan.renews) memory_.groups.at(group).renew_at = clock_.boot_now() + kRenewAfter;
}

void Look::settled(const std::string& group, const GroupPlan& plan) {
  Known& known = memory_.groups.at(group);
  const Carried& carried = carried_.at(group);
  auto left = plan.left;
  for (const PartitionName& name : carried.unstable) {
    const auto kept = known.left.find({wish_.rules.partitions.at(name), name.partition});
    if (kept != known.left.end()) left.insert(*kept);
  }
  known.left = std::move(left);
  if (plan.state != GroupState::kSynced || in_sync(known, carried.source, carried.unstable, asked_at_))
    set(group, plan.state, plan.message);
  else
    set(group, GroupState::kWaiting, "a transaction of its own is not ended yet");
}

}  // namespace

bool in_sync(Known& known, const GroupPositions& stable, const std::set<PartitionName>& unstable, BootTime asked_at) {
  if (unstable.empty()) {
    known.stable_at.clear();
    known.in_sync_at = asked_at;
    return true;
  }
  std::map<PartitionName, BootTime> stable_at;
  for (const auto& [name, position] : stable) stable_at.emplace(name, asked_at);
  bool every = true;
  for (const PartitionName& name : unstable) {
    const auto before = known.stable_at.find(name);
    if (before != known.stable_at.end())
      stable_at.insert(*before);
    else if (known.in_sync_at)
      stable_at.emplace(name, *known.in_sync_at);
    else
      every = false;
  }
  known.stable_at = std::move(stable_at);
  if (!every) return false;
  BootTime oldest = asked_at;
  for (const auto& [name, at] : known.stable_at) oldest = std::min(oldest, at);
  known.in_sync_at = oldest;
  return true;
}

GroupAnswer meaning_of(ErrorCode error) {
  switch (error) {
    case ErrorCode::kNone: return GroupAnswer::kFine;
    case ErrorCode::kUnstableOffsetCommit: return GroupAnswer::kLater;
    case ErrorCode::kIllegalGeneration:
    case ErrorCode::kUnknownMemberId:
    case ErrorCode::kRebalanceInProgress:
    case ErrorCode::kFencedInstanceId:
    case ErrorCode::kFencedMemberEpoch:
    case ErrorCode::kStaleMemberEpoch: return GroupAnswer::kMembers;
    default: break;
  }
  return may_pass(error) || kafka::says_find_coordinator(error) ? GroupAnswer::kLater : GroupAnswer::kRefused;
}

GroupsLooked carry_groups(kafka::Cluster& source, kafka::Cluster& target, const GroupWish& wish, GroupMemory& memory,
                          const Clock& clock, const std::stop_token& stop) {
  return Look(source, target, wish, memory, clock, stop).run();
}

}  // namespace twinspan::kafka_engine
