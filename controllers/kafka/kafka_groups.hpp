// Consumer groups of a Kafka link: what its worker says of them, and the condition GroupsInSync. Pure.
#pragma once
#include <optional>

#include "controllers/kafka/kafka_said.hpp"
#include "controllers/link/verdict.hpp"

namespace twinspan::controllers {

// nullopt: the link carries no groups' positions. Records are carried whatever groups do: Ready does not depend on it.
std::optional<Verdict> groups_verdict(const KafkaSeen& seen, const KafkaSaid& said);

// Whether what a status says of groups may stand: they are asked for, and it is of now.
bool groups_may_stand(const KafkaSeen& seen, const KafkaSaid& said);

}  // namespace twinspan::controllers
