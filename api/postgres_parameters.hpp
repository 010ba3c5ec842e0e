// PostgreSQL's settings as links may have them: one table for those who judge a link and for those who run it. Names
// are compared without regard to case, as PostgreSQL does. Whether a change needs a restart PostgreSQL says itself
// (pg_settings.pending_restart). Pure.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/types.hpp"

namespace twinspan::api {

using Parameters = std::map<std::string, std::string>;

struct ParameterRule {
  std::string_view name;   // lower case; with a '*' at its end: every name that begins so
  bool agents;             // the agent decides it; people may name it only with the value it has
  std::string_view value;  // of an agent's: the one it always has; empty: none that could be named
  bool equal;              // the same on every endpoint: a hot standby needs at least what its primary has, and any
                           // of them may become primary (PostgreSQL 15, 27.4.3 Administrator's Overview)
  std::string_view why;
};
const std::vector<ParameterRule>& parameter_rules();
// nullptr: nothing is said of it, a person's.
const ParameterRule* rule_of_parameter(std::string_view name);

bool belongs_to_agent(std::string_view name);
bool must_be_equal_everywhere(std::string_view name);

// What the values are judged against.
struct ParameterBounds {
  DurabilityMode durability = DurabilityMode::kAsync;
  int64_t endpoints = 1;  // of the link
};
// Why the setting is refused, with its value and what was expected; nullopt: it is fine.
std::optional<std::string> refuse_parameter(std::string_view name, std::string_view value,
                                            const ParameterBounds& bounds);

// A person's settings alone, under their names in lower case: what an agent gives to PostgreSQL.
Parameters peoples_parameters(const Parameters& parameters);
// Tells one set of a person's settings from another, wherever it is computed.
std::string fingerprint(const Parameters& parameters);

// What may stay in postgresql.auto.conf, where ALTER SYSTEM writes and which PostgreSQL reads last: what the agent
// decides, what the link says, what must be equal everywhere and what is refused may not.
bool may_be_altered(std::string_view name, std::string_view value, const Parameters& of_link,
                    const ParameterBounds& bounds);

}  // namespace twinspan::api
