#include "controllers/kafka/kafka_places.hpp"

#include <fmt/format.h>

#include "api/kafka_topics.hpp"

namespace twinspan::controllers {
namespace {

// What a link carries, and by which name it is at the target.
struct Mirror {
  explicit Mirror(const api::ReplicationLink& of) : link(of), topics(of.spec.kafka.topics) {}
  std::string name_of(const std::string& topic) const { return link.spec.kafka.topic_prefix + topic; }
  // It is written by this link.
  bool writes(const std::string& name) const {
    const std::string& prefix = link.spec.kafka.topic_prefix;
    return name.starts_with(prefix) && topics.carries(name.substr(prefix.size()));
  }
  const api::Endpoint& target() const { return link.spec.targets.front(); }

  const api::ReplicationLink& link;
  const api::KafkaTopicRules topics;
};

bool is_kafka(const api::ReplicationLink& link) {
  return link.spec.source.kafka && link.spec.targets.size() == 1 && link.spec.targets.front().kafka;
}

bool share_a_broker(const Mirror& a, const api::Endpoint& one, const Mirror& b, const api::Endpoint& other) {
  for (const std::string& mine : one.kafka->brokers)
    for (const std::string& theirs : other.kafka->brokers)
      if (broker_of(a.link.metadata.ns, mine) == broker_of(b.link.metadata.ns, theirs)) return true;
  return false;
}

// A topic that both write.
std::optional<std::string> written_by_both(const Mirror& a, const Mirror& b) {
  for (const auto& [from, to] : {std::pair{&a, &b}, {&b, &a}})
    for (const std::string& topic : from->topics.samples())
      if (const std::string name = from->name_of(topic); to->writes(name)) return name;
  return std::nullopt;
}

// A topic of where `first` reads that comes back there by `second`, and is carried again.
std::optional<std::string> comes_back(const Mirror& first, const Mirror& second) {
  for (const std::string& topic : first.topics.samples()) {
    const std::string there = first.name_of(topic);
    if (second.topics.carries(there) && first.topics.carries(second.name_of(there))) return topic;
  }
  return std::nullopt;
}

std::optional<std::string> trouble_between(const Mirror& link, const Mirror& other) {
  if (share_a_broker(link, link.target(), other, other.target()))
    if (const auto topic = written_by_both(link, other))
      return fmt::format("writes topic {} there as well: two that write one topic mix their records", *topic);
  if (!share_a_broker(link, link.target(), other, other.link.spec.source) ||
      !share_a_broker(other, other.target(), link, link.link.spec.source))
    return std::nullopt;
  auto topic = comes_back(link, other);
  if (!topic) topic = comes_back(other, link);
  if (!topic) return std::nullopt;
  return fmt::format("carries topic {} the other way: each would carry what the other has carried, on and on", *topic);
}

}  // namespace

std::optional<TakenPlace> mirror_taken_by(const api::ReplicationLink& link,
                                          const std::vector<const api::ReplicationLink*>& others) {
  if (!is_kafka(link)) return std::nullopt;
  const Mirror ours(link);
  for (const api::ReplicationLink* other : others) {
    if (!is_kafka(*other) || other->metadata.deleting() || !is_older(*other, link)) continue;
    const auto trouble = trouble_between(ours, Mirror(*other));
    if (!trouble) continue;
    return TakenPlace{
        ours.target().name,
        fmt::format("{}: ReplicationLink {}/{}, which was there before, {}. Choose other topics or another "
                    "spec.kafka.topicPrefix, or delete one of the two",
                    ours.target().name, other->metadata.ns, other->metadata.name, *trouble)};
  }
  return std::nullopt;
}

}  // namespace twinspan::controllers
