// Which topics are carried: names, and patterns that a whole name has to match.
#pragma once
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "engines/kafka/name_choice.hpp"

namespace twinspan::kafka_engine {

class TopicChoice {
 public:
  // As NameChoice does.
  static Result<TopicChoice> parse(const std::vector<std::string>& include, const std::vector<std::string>& exclude);

  // Topics that begin with two underscores are chosen where they are named only; Kafka's own and Twinspan's never.
  bool chooses(const std::string& topic) const;
  const std::set<std::string>& named() const { return names_.named(); }

 private:
  NameChoice names_;
};

// Never carried, whoever names it.
bool is_nobodys_topic(std::string_view topic);

}  // namespace twinspan::kafka_engine
