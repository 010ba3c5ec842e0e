// Which of PostgreSQL's settings a link may set, and to what. The rest belongs to the agent.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "api/types.hpp"

namespace twinspan::api {

// What the values are judged against.
struct ParameterBounds {
  DurabilityMode durability = DurabilityMode::kAsync;
  int64_t endpoints = 1;  // of the link
};

// Why the setting is refused; nullopt: it is fine. Names are compared without regard to case, as PostgreSQL does.
std::optional<std::string> refuse_parameter(std::string_view name, std::string_view value,
                                            const ParameterBounds& bounds);

// Settings that a hot standby needs at least as high as its primary: they must be equal on every endpoint, because any
// of them may become primary (PostgreSQL 15, 27.4.3 Administrator's Overview).
bool must_be_equal_everywhere(std::string_view name);

}  // namespace twinspan::api
