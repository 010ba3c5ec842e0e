// The topics that a link needs at its target: made where they are missing, looked at where they are not.
#pragma once
#include <map>
#include <set>
#include <stop_token>
#include <string>

#include "core/result.hpp"
#include "engines/kafka/state.hpp"
#include "kafka/cluster.hpp"

namespace twinspan::kafka_engine {

using Configs = std::map<std::string, std::string>;

// What would spoil a mirror without a word, or make it stop (W7); empty: nothing. For people.
std::string spoils_mirror(const std::string& topic, const Configs& configs);
// What a mirror is made with, by what its source has.
Configs mirror_configs(const Configs& source);

// The partitions of `topics`, each with the name of its topic at the target, which is there from then on, as is
// `state_topic`.
Result<std::map<PartitionName, std::string>> prepare_topics(kafka::Cluster& source, kafka::Cluster& target,
                                                            const std::set<std::string>& topics,
                                                            const std::string& prefix, const std::string& state_topic,
                                                            const std::stop_token& stop);

}  // namespace twinspan::kafka_engine
