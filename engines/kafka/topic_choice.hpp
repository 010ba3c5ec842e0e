// Which topics are carried: names, and patterns that a whole name has to match.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace re2 {
class RE2;
}

namespace twinspan::kafka_engine {

class TopicChoice {
 public:
  // An entry that has nothing but what a topic's name may have is a name; any other one is a pattern (RE2). kInvalid
  // names the entry and what is wrong with it.
  static Result<TopicChoice> parse(const std::vector<std::string>& include, const std::vector<std::string>& exclude);

  // Topics that begin with two underscores are chosen where they are named only; Kafka's own and Twinspan's never.
  bool chooses(const std::string& topic) const;
  const std::set<std::string>& named() const { return included_.names; }

 private:
  struct Entries {
    std::set<std::string> names;
    std::vector<std::shared_ptr<const re2::RE2>> patterns;
    bool match(const std::string& topic) const;
  };
  static Result<Entries> entries_of(const std::vector<std::string>& texts, std::string_view field);

  Entries included_, excluded_;
};

// Never carried, whoever names it.
bool is_nobodys_topic(std::string_view topic);
bool is_topic_name(std::string_view text);  // that a broker takes

}  // namespace twinspan::kafka_engine
