#include "engines/kafka/name_choice.hpp"

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

bool NameChoice::Entries::match(const std::string& name) const {
  return names.contains(name) ||
         std::ranges::any_of(patterns, [&](const auto& pattern) { return re2::RE2::FullMatch(name, *pattern); });
}

Result<NameChoice::Entries> NameChoice::entries_of(const std::vector<std::string>& texts, std::string_view field,
                                                   std::string_view kind) {
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
      return fail(Code::kInvalid, fmt::format("{}: \"{}\": {}; expected {}'s name or a pattern (RE2)", field,
                                              one_line(text, 200), pattern->error(), kind));
    entries.patterns.push_back(std::move(pattern));
  }
  return entries;
}

Result<NameChoice> NameChoice::parse(const std::vector<std::string>& include, const std::vector<std::string>& exclude,
                                     std::string_view field, std::string_view kind) {
  NameChoice choice;
  auto included = entries_of(include, fmt::format("{}.include", field), kind),
       excluded = entries_of(exclude, fmt::format("{}.exclude", field), kind);
  if (!included) return std::unexpected(included.error());
  if (!excluded) return std::unexpected(excluded.error());
  choice.included_ = std::move(*included);
  choice.excluded_ = std::move(*excluded);
  return choice;
}

}  // namespace twinspan::kafka_engine
