#include "engines/kafka/topic_choice.hpp"

namespace twinspan::kafka_engine {

bool is_nobodys_topic(std::string_view topic) {
  return topic == "__consumer_offsets" || topic == "__transaction_state" || topic == "__share_group_state" ||
         topic == "__cluster_metadata" || topic.starts_with("__twinspan");
}

Result<TopicChoice> TopicChoice::parse(const std::vector<std::string>& include,
                                       const std::vector<std::string>& exclude) {
  auto names = NameChoice::parse(include, exclude, "topics", "a topic");
  if (!names) return std::unexpected(names.error());
  TopicChoice choice;
  choice.names_ = std::move(*names);
  return choice;
}

bool TopicChoice::chooses(const std::string& topic) const {
  if (is_nobodys_topic(topic) || names_.excludes(topic)) return false;
  return topic.starts_with("__") ? named().contains(topic) : names_.includes(topic);
}

}  // namespace twinspan::kafka_engine
