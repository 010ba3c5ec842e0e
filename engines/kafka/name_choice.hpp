// Names that are chosen: by themselves, and by patterns that a whole name has to match.
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

class NameChoice {
 public:
  // An entry that has nothing but what a topic's name may have is a name; any other one is a pattern (RE2). kInvalid
  // names the entry and what is wrong with it. `field`: "topics" or "groups"; `kind`: "a topic", for messages.
  static Result<NameChoice> parse(const std::vector<std::string>& include, const std::vector<std::string>& exclude,
                                  std::string_view field, std::string_view kind);

  bool includes(const std::string& name) const { return included_.match(name); }
  bool excludes(const std::string& name) const { return excluded_.match(name); }
  bool chooses(const std::string& name) const { return includes(name) && !excludes(name); }
  const std::set<std::string>& named() const { return included_.names; }

 private:
  struct Entries {
    std::set<std::string> names;
    std::vector<std::shared_ptr<const re2::RE2>> patterns;
    bool match(const std::string& name) const;
  };
  static Result<Entries> entries_of(const std::vector<std::string>& texts, std::string_view field,
                                    std::string_view kind);

  Entries included_, excluded_;
};

bool is_topic_name(std::string_view text);  // that a broker takes

}  // namespace twinspan::kafka_engine
