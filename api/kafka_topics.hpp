// Patterns of Kafka links (RE2: linear in what they are matched with), and which topics a link carries by them. Pure.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/types.hpp"

namespace re2 {
class RE2;
}

namespace twinspan::api {

// Why it can't be used, for people; empty: it can.
std::string pattern_trouble(const std::string& pattern);

// Kafka's and Twinspan's own topics, which no link carries.
bool is_internal_topic(std::string_view topic);

// As the worker chooses (engines/kafka). Patterns that can't be used match nothing.
class KafkaTopicRules {
 public:
  explicit KafkaTopicRules(const KafkaTopics& topics);
  ~KafkaTopicRules();
  KafkaTopicRules(KafkaTopicRules&&) noexcept;
  KafkaTopicRules& operator=(KafkaTopicRules&&) noexcept;

  // A topic whose name begins with two underscores has to be named as it is: no pattern reaches it.
  bool carries(const std::string& topic) const;
  // Some names that are carried, as far as the patterns give them away: "orders.eu", "orders" of "orders.*".
  const std::vector<std::string>& samples() const { return samples_; }

 private:
  std::set<std::string> included_, excluded_;  // by name
  std::vector<std::unique_ptr<re2::RE2>> include_, exclude_;
  std::vector<std::string> samples_;
};

}  // namespace twinspan::api
