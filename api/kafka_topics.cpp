#include "api/kafka_topics.hpp"

#include <re2/re2.h>

#include <iterator>

#include "api/patterns.hpp"

namespace twinspan::api {
namespace {

constexpr int64_t kPatternBytesMost = 1 << 20;  // of one, compiled
constexpr size_t kNameMost = 249;               // of a topic

RE2::Options options() {
  RE2::Options out;
  out.set_log_errors(false);
  out.set_max_mem(kPatternBytesMost);
  return out;
}

// What could be a topic's name is one, and no pattern: the dot in it stands for itself.
bool is_name(const std::string& text) { return !text.empty() && is_topic_part(text); }

std::set<std::string> names_among(const std::vector<std::string>& texts) {
  std::set<std::string> out;
  std::copy_if(texts.begin(), texts.end(), std::inserter(out, out.end()), is_name);
  return out;
}

std::vector<std::unique_ptr<RE2>> compiled(const std::vector<std::string>& texts) {
  std::vector<std::unique_ptr<RE2>> out;
  for (const std::string& pattern : texts) {
    if (is_name(pattern)) continue;
    if (auto one = std::make_unique<RE2>(pattern, options()); one->ok()) out.push_back(std::move(one));
  }
  return out;
}

bool any_matches(const std::vector<std::unique_ptr<RE2>>& patterns, const std::string& topic) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::unique_ptr<RE2>& one) { return RE2::FullMatch(topic, *one); });
}

// The first and the last of what a pattern matches, or what comes near it, and what many a pattern of anything matches.
std::vector<std::string> guesses_of(const RE2& pattern) {
  std::string first, last;
  const RE2 whole("^(?:" + pattern.pattern() + ")$", options());
  if (!whole.ok() || !whole.PossibleMatchRange(&first, &last, static_cast<int>(kNameMost))) return {"x"};
  return {first, last, "x"};
}

}  // namespace

std::string pattern_trouble(const std::string& pattern) {
  const RE2 one(pattern, options());
  return one.ok() ? "" : one.error();
}

bool is_internal_topic(std::string_view topic) {
  for (const std::string_view one :
       {"__consumer_offsets", "__transaction_state", "__share_group_state", "__cluster_metadata"})
    if (topic == one) return true;
  return topic.starts_with("__twinspan");
}

KafkaTopicRules::KafkaTopicRules(const KafkaTopics& topics)
    : included_(names_among(topics.include)),
      excluded_(names_among(topics.exclude)),
      include_(compiled(topics.include)),
      exclude_(compiled(topics.exclude)) {
  std::vector<std::string> candidates(included_.begin(), included_.end());
  for (const auto& one : include_)
    for (std::string& guess : guesses_of(*one)) candidates.push_back(std::move(guess));
  for (std::string& one : candidates)
    if (is_name(one) && one.size() <= kNameMost && carries(one) &&
        std::find(samples_.begin(), samples_.end(), one) == samples_.end())
      samples_.push_back(std::move(one));
}

KafkaTopicRules::~KafkaTopicRules() = default;
KafkaTopicRules::KafkaTopicRules(KafkaTopicRules&&) noexcept = default;
KafkaTopicRules& KafkaTopicRules::operator=(KafkaTopicRules&&) noexcept = default;

bool KafkaTopicRules::carries(const std::string& topic) const {
  if (is_internal_topic(topic) || excluded_.contains(topic) || any_matches(exclude_, topic)) return false;
  return included_.contains(topic) || (!topic.starts_with("__") && any_matches(include_, topic));
}

}  // namespace twinspan::api
