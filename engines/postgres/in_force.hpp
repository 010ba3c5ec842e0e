// Whether PostgreSQL runs with the settings that were asked for, by its own word.
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "engines/postgres/sql.hpp"

namespace twinspan::postgres {

struct NotInForce {
  std::string name;
  std::string why;  // for people
  bool operator==(const NotInForce&) const = default;
};

struct SettingsSeen {
  WallTime loaded_at{};  // when the server last read its files
  std::vector<NotInForce> not_in_force;
};

// Asked of a session that is new: it has what every new session gets.
Result<SettingsSeen> settings_in_force(Session& session, const std::map<std::string, std::string>& asked,
                                       std::chrono::milliseconds timeout, const std::stop_token& stop = {});

}  // namespace twinspan::postgres
