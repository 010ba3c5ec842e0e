// Many questions to the brokers of one cluster, some of them at once.
#pragma once
#include <cstdint>
#include <stop_token>
#include <vector>

#include "core/result.hpp"
#include "kafka/cluster.hpp"

namespace twinspan::kafka_engine {

struct Question {
  int32_t broker = kafka::kAnyBroker;
  kafka::AnyRequest request;
};

// An answer or an error of each, in their order. A broker that could not be asked once is asked no more: what it did
// not answer has its error. Once `stop` is set nothing more is sent, and the rest is kCancelled.
std::vector<Result<kafka::Answer>> ask_all(kafka::Cluster& side, std::vector<Question> questions,
                                           const std::stop_token& stop);

}  // namespace twinspan::kafka_engine
