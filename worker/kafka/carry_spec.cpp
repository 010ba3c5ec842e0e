#include "worker/kafka/carry_spec.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/clock.hpp"

namespace twinspan::worker_kafka {
namespace {

namespace engine = kafka_engine;

engine::Codec codec_of(api::KafkaCompression compression) {
  switch (compression) {
    case api::KafkaCompression::kKeep: return engine::Codec::kKeep;
    case api::KafkaCompression::kNone: return engine::Codec::kNone;
    case api::KafkaCompression::kGzip: return engine::Codec::kGzip;
    case api::KafkaCompression::kSnappy: return engine::Codec::kSnappy;
    case api::KafkaCompression::kLz4: return engine::Codec::kLz4;
    case api::KafkaCompression::kZstd: return engine::Codec::kZstd;
  }
  return engine::Codec::kKeep;
}

Result<engine::RecordRules> rules_of(const CarrySpec& spec) {
  engine::RecordRules rules;
  rules.source = spec.source.name;
  rules.codec = codec_of(spec.settings.compression);
  if (const auto& most = spec.settings.limits.batch_size) rules.batch_records = static_cast<int32_t>(*most);
  if (const auto& filter = spec.settings.filter) {
    rules.include_patterns = filter->include_patterns;
    rules.exclude_patterns = filter->exclude_patterns;
    rules.headers = filter->headers;
    if (filter->min_timestamp) {
      const auto time = parse_rfc3339(*filter->min_timestamp);
      if (!time) return fail(Code::kInvalid, "spec.kafka.filter.minTimestamp: " + time.error().message);
      // The first whole millisecond that is not before it: records' times have no more.
      rules.min_time = std::chrono::ceil<std::chrono::milliseconds>(time->time_since_epoch()).count();
    }
  }
  if (const auto& transform = spec.settings.transform) {
    rules.add_headers = transform->add_headers;
    rules.remove_headers = transform->remove_headers;
    rules.map_headers = transform->map_headers;
  }
  return rules;
}

}  // namespace

Result<CarrySpec> carry_spec_of(const api::ReplicationLink& link) {
  if (link.spec.targets.size() != 1)
    return fail(Code::kInvalid, fmt::format("spec.targets: {}; expected exactly one", link.spec.targets.size()));
  CarrySpec spec{link.metadata.ns, link.metadata.name,        link.metadata.uid,
                 link.spec.source, link.spec.targets.front(), link.spec.kafka};
  for (const auto& [endpoint, field] :
       {std::pair{&spec.source, "spec.source.kafka"}, {&spec.target, "spec.targets[0].kafka"}})
    if (!endpoint->kafka) return fail(Code::kInvalid, fmt::format("{}: absent", field));
  spec.target.from.reset();
  spec.settings.image.reset();
  spec.settings.resources = spec.settings.affinity = nullptr;
  spec.settings.node_selector.clear();
  spec.settings.tolerations.clear();
  spec.settings.topology_spread_constraints.clear();
  spec.settings.groups.reset();
  return spec;
}

std::string full_name(const CarrySpec& spec) { return spec.ns + "." + spec.link; }

Result<engine::LaneSettings> lane_settings(const CarrySpec& spec) {
  const api::KafkaSettings& from = spec.settings;
  engine::LaneSettings to;
  to.transactional_id = engine::transactional_id_of(full_name(spec));
  to.state_topic = engine::state_topic_of(full_name(spec));
  to.start = from.start == api::KafkaStart::kLatest ? engine::Start::kLatest : engine::Start::kEarliest;
  to.into_existing = from.into_existing == api::IntoExisting::kAppend;
  to.checkpoint = engine::Time{from.checkpoint_interval_milliseconds};
  to.transaction_timeout = std::chrono::seconds(from.transaction_timeout_seconds);
  to.request_timeout = std::chrono::seconds(spec.target.kafka->request_timeout_seconds);
  to.source_request_timeout = std::chrono::seconds(spec.source.kafka->request_timeout_seconds);
  // A fetch waits at the broker for records to come, which is no failure.
  to.fetch_wait = std::min(to.fetch_wait, *to.source_request_timeout / 2);
  // More than all that may wait here is never asked for.
  to.fetch_bytes = static_cast<int32_t>(std::min(from.limits.max_bytes, to.buffer_bytes));
  to.partition_fetch_bytes = std::min(to.partition_fetch_bytes, to.fetch_bytes);
  if (from.throttle) to.bytes_per_second = from.throttle->bytes_per_second;
  to.transaction_records = from.limits.max_messages;
  to.partitions_at_once = from.limits.partitions_at_once;
  auto rules = rules_of(spec);
  if (!rules) return std::unexpected(rules.error());
  to.rules = std::move(*rules);
  return to;
}

Result<engine::TopicWish> topic_wish(const CarrySpec& spec) {
  auto choice = engine::TopicChoice::parse(spec.settings.topics.include, spec.settings.topics.exclude);
  if (!choice) return fail(choice.error().code, "spec.kafka." + choice.error().message);
  engine::TopicWish wish{std::move(*choice), spec.settings.topic_prefix, engine::state_topic_of(full_name(spec)), {}};
  if (const auto& factor = spec.settings.replication_factor) wish.replication_factor = static_cast<int16_t>(*factor);
  return wish;
}

}  // namespace twinspan::worker_kafka
