#include "sandbox/api/faults.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace twinspan::sandbox {

Result<FaultRule> parse_fault(const Json& rule) {
  FaultRule out;
  std::string at;
  try {
    if (!rule.is_object()) return fail(Code::kInvalid, "a fault rule is an object with match and do");
    for (const auto& [part, content] : rule.items()) {
      if (part != "match" && part != "do")
        return fail(Code::kInvalid, fmt::format("{}: unknown, expected match or do", part));
      for (const auto& [name, value] : content.items()) {
        at = part + "." + name;
        if (at == "match.verb")
          out.match.verb = value;
        else if (at == "match.resource")
          out.match.resource = value;
        else if (at == "match.namespace")
          out.match.ns = value;
        else if (at == "match.name")
          out.match.name = value;
        else if (at == "match.userAgent")
          out.match.user_agent = value;
        else if (at == "match.times")
          out.match.times = value;
        else if (at == "match.after")
          out.match.after = value;
        else if (at == "match.probability")
          out.match.probability = value;
        else if (at == "do.status")
          out.action.status = value.get<int>();
        else if (at == "do.retryAfterSeconds")
          out.action.retry_after_seconds = value.get<int>();
        else if (at == "do.delayMilliseconds")
          out.action.delay = std::chrono::milliseconds(value.get<int>());
        else if (at == "do.deny")
          out.action.deny = value;
        else if (at == "do.cutWatch")
          out.action.cut_watch = value;
        else if (at == "do.dropWatchEvent")
          out.action.drop_watch_event = value;
        else if (at == "do.reorder")
          out.action.reorder = value;
        else if (at == "do.writeThenFail")
          out.action.write_then_fail = value;
        else if (at == "do.unavailableMilliseconds")
          out.action.unavailable = std::chrono::milliseconds(value.get<int>());
        else
          return fail(Code::kInvalid, fmt::format("{}: unknown", at));
      }
    }
  } catch (const Json::exception&) {
    return fail(Code::kInvalid, fmt::format("{}: wrong type", at));
  }
  return out;
}

void Faults::add(FaultRule rule) {
  std::lock_guard lock(mutex_);
  if (rule.action.unavailable.count() > 0) {
    unavailable_until_ = std::chrono::steady_clock::now() + rule.action.unavailable;
    ++outages_;
    return;
  }
  rules_.push_back({std::move(rule), 0, 0});
}

void Faults::clear() {
  std::lock_guard lock(mutex_);
  rules_.clear();
  unavailable_until_ = {};
}

size_t Faults::hits() const {
  std::lock_guard lock(mutex_);
  return hits_;
}

bool Faults::unavailable() const {
  std::lock_guard lock(mutex_);
  return std::chrono::steady_clock::now() < unavailable_until_;
}

uint64_t Faults::outages() const {
  std::lock_guard lock(mutex_);
  return outages_;
}

bool Faults::strikes(Live& live, const FaultSubject& subject) {
  const FaultMatch& match = live.rule.match;
  const auto fits = [](const std::string& wanted, const std::string& have) { return wanted.empty() || wanted == have; };
  if (!fits(match.verb, subject.verb) || !fits(match.resource, subject.resource) || !fits(match.ns, subject.ns) ||
      !fits(match.name, subject.name))
    return false;
  if (!match.user_agent.empty() && subject.user_agent.find(match.user_agent) == std::string::npos) return false;
  if (match.times >= 0 && live.hit >= match.times) return false;
  if (live.seen++ < match.after) return false;
  if (match.probability < 1 && std::uniform_real_distribution<>(0, 1)(random_) >= match.probability) return false;
  ++live.hit;
  ++hits_;
  return true;
}

FaultAction Faults::on_request(const FaultSubject& subject) {
  std::lock_guard lock(mutex_);
  FaultAction out;
  for (Live& live : rules_) {
    const FaultAction& action = live.rule.action;
    if (!action.status && !action.deny && action.delay.count() == 0 && !action.write_then_fail) continue;
    if (!strikes(live, subject)) continue;
    if (action.status) out.status = action.status;
    if (action.retry_after_seconds) out.retry_after_seconds = action.retry_after_seconds;
    out.deny = out.deny || action.deny;
    out.write_then_fail = out.write_then_fail || action.write_then_fail;
    out.delay += action.delay;
  }
  return out;
}

Faults::Fate Faults::on_event(const FaultSubject& subject) {
  std::lock_guard lock(mutex_);
  for (Live& live : rules_) {
    const FaultAction& action = live.rule.action;
    if (!action.cut_watch && !action.drop_watch_event && !action.reorder) continue;
    if (!strikes(live, subject)) continue;
    return action.cut_watch ? Fate::kCut : action.drop_watch_event ? Fate::kDrop : Fate::kHold;
  }
  return Fate::kDeliver;
}

bool Faults::cuts_idle(const FaultSubject& subject) {
  std::lock_guard lock(mutex_);
  for (Live& live : rules_)
    if (live.rule.action.cut_watch && live.rule.match.after == 0 && live.rule.match.name.empty() &&
        strikes(live, subject))
      return true;
  return false;
}

}  // namespace twinspan::sandbox
