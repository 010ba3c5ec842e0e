#include "engines/kafka/topic_choice.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>

#include "core/text.hpp"

namespace twinspan::kafka_engine {
namespace {

constexpr size_t kTopicBytesMost = 249;
constexpr int64_t kPatternMemory = 1 << 20;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

}  // namespace

bool is_topic_name(std::string_view text) {
  return !text.empty() && text.size() <= kTopicBytesMost && text != "." && text != ".." &&
         std::ranges::all_of(text, is_name_character);
}

bool is_nobodys_topic(std::string_view topic) {
  return topic == "__consumer_offsets" || topic == "__transaction_state" || topic == "__share_group_state" ||
         topic == "__cluster_metadata" || topic.starts_with("__twinspan");
}

bool TopicChoice::Entries::match(const std::string& topic) const {
  return names.contains(topic) ||
         std::ranges::any_of(patterns, [&](const auto& pattern) { return re2::RE2::FullMatch(topic, *pattern); });
}

Result<TopicChoice::Entries> TopicChoice::entries_of(const std::vector<std::string>& texts, std::string_view field) {
  Entries entries;
  for (const std::string& text : texts) {
    if (is_topic_name(text)) {
      entries.names.insert(text);
      continue;
    }
    re2::RE2::Options options(re2::RE2::Quiet);
    options.set_max_mem(kPatternMemory);
    auto pattern = std::make_shared<const re2::RE2>(text, options);
    if (!pattern->ok())
      return fail(Code::kInvalid, fmt::format("{}: \"{}\": {}; expected a topic's name or a pattern (RE2)", field,
                                              one_line(text, 200), pattern->error()));
    entries.patterns.push_back(std::move(pattern));
  }
  return entries;
}

Result<TopicChoice> TopicChoice::parse(const std::vector<std::string>& include,
                                       const std::vector<std::string>& exclude) {
  TopicChoice choice;
  auto included = entries_of(include, "topics.include"), excluded = entries_of(exclude, "topics.exclude");
  if (!included) return std::unexpected(included.error());
  if (!excluded) return std::unexpected(excluded.error());
  choice.included_ = std::move(*included);
  choice.excluded_ = std::move(*excluded);
  return choice;
}

bool TopicChoice::chooses(const std::string& topic) const {
  if (is_nobodys_topic(topic) || excluded_.match(topic)) return false;
  return topic.starts_with("__") ? included_.names.contains(topic) : included_.match(topic);
}

}  // namespace twinspan::kafka_engine
