#include "api/postgres_parameters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/text.hpp"

namespace twinspan::api {

namespace {

constexpr std::string_view kAddresses =
    "it belongs to the agent, which listens on the pod's address, port 5432, with mutual TLS for replication";
constexpr std::string_view kFiles = "it belongs to the agent, which places and writes PostgreSQL's files";
constexpr std::string_view kReplication = "it belongs to the agent: it follows from the link and from who is primary";
constexpr std::string_view kArchive = "it belongs to the agent: archiving and recovery follow from the link";
constexpr std::string_view kLogs = "it belongs to the agent: logs go to the container's output";
constexpr std::string_view kCrash = "a crash would corrupt the data";
constexpr std::string_view kDamage = "damaged data would count as right, and be copied";
constexpr std::string_view kCatalogue = "the agent works with PostgreSQL's own tables and roles as they are made";

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// PostgreSQL takes any unambiguous beginning of true, false, yes and no, and on, off, 1, 0 (bool.c,
// parse_bool_with_len).
std::optional<bool> boolean(std::string_view value) {
  const auto begins = [&](std::string_view word) { return !value.empty() && word.starts_with(value); };
  if (value == "1" || value == "on" || begins("true") || begins("yes")) return true;
  if (value == "0" || value == "of" || value == "off" || begins("false") || begins("no")) return false;
  return std::nullopt;
}

bool same_value(std::string_view a, std::string_view b) {
  if (a == b) return true;
  const auto left = boolean(a), right = boolean(b);
  return left && left == right;
}

bool is_name(std::string_view name) {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.'; }) &&
         !(name.front() >= '0' && name.front() <= '9') && name.front() != '.' && name.back() != '.';
}

std::optional<std::string> refuse_below(std::string_view value, int64_t least, std::string_view why) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size())
    return fmt::format("is \"{}\", must be an integer", value);
  if (number < least) return fmt::format("is {}, must be at least {}: {}", number, least, why);
  return std::nullopt;
}

}  // namespace

const std::vector<ParameterRule>& parameter_rules() {
  static const std::vector<ParameterRule> rules{
      {"listen_addresses", true, "", false, kAddresses},
      {"port", true, "5432", false, kAddresses},
      {"unix_socket_directories", true, "", false, kAddresses},
      {"unix_socket_group", true, "", false, kAddresses},
      {"unix_socket_permissions", true, "0700", false, kAddresses},
      {"ssl", true, "on", false, kAddresses},
      {"ssl_*", true, "", false, kAddresses},
      {"bonjour", true, "off", false, kAddresses},
      {"bonjour_name", true, "", false, kAddresses},
      {"data_directory", true, "", false, kFiles},
      {"config_file", true, "", false, kFiles},
      {"hba_file", true, "", false, kFiles},
      {"ident_file", true, "", false, kFiles},
      {"external_pid_file", true, "", false, kFiles},
      {"include", true, "", false, kFiles},
      {"include_dir", true, "", false, kFiles},
      {"include_if_exists", true, "", false, kFiles},
      {"krb_server_keyfile", true, "", false, kFiles},
      {"jit_provider", true, "llvmjit", false, kFiles},
      {"primary_conninfo", true, "", false, kReplication},
      {"primary_slot_name", true, "", false, kReplication},
      {"promote_trigger_file", true, "", false, kReplication},
      {"synchronous_standby_names", true, "", false, kReplication},
      {"hot_standby", true, "on", false, kReplication},
      {"cluster_name", true, "", false, kReplication},
      {"restart_after_crash", true, "off", false, kReplication},
      {"wal_log_hints", true, "on", false, kReplication},
      {"archive_mode", true, "off", false, kArchive},
      {"archive_*", true, "", false, kArchive},
      {"restore_command", true, "", false, kArchive},
      {"recovery_target_timeline", true, "latest", false, kArchive},
      {"recovery_*", true, "", false, kArchive},
      {"logging_collector", true, "off", false, kLogs},
      {"log_directory", true, "", false, kLogs},
      {"log_filename", true, "", false, kLogs},
      {"log_destination", true, "stderr", false, kLogs},
      {"event_source", true, "", false, kLogs},
      {"fsync", true, "on", false, kCrash},
      {"full_page_writes", true, "on", false, kCrash},
      {"data_sync_retry", true, "off", false, "data that could not be written would count as written"},
      {"zero_damaged_pages", true, "off", false, kDamage},
      {"ignore_checksum_failure", true, "off", false, kDamage},
      {"ignore_invalid_pages", true, "off", false, kDamage},
      {"allow_system_table_mods", true, "off", false, kCatalogue},
      {"db_user_namespace", true, "off", false, kCatalogue},
      {"max_connections", false, "", true, ""},
      {"max_prepared_transactions", false, "", true, ""},
      {"max_locks_per_transaction", false, "", true, ""},
      {"max_wal_senders", false, "", true, ""},
      {"max_worker_processes", false, "", true, ""},
      {"wal_level", false, "", true, ""},
  };
  return rules;
}

const ParameterRule* rule_of_parameter(std::string_view given) {
  const std::string name = to_lower(given);
  const ParameterRule* family = nullptr;
  for (const ParameterRule& rule : parameter_rules()) {
    if (rule.name == name) return &rule;
    if (rule.name.ends_with('*') && name.starts_with(rule.name.substr(0, rule.name.size() - 1))) family = &rule;
  }
  return family;
}

bool belongs_to_agent(std::string_view name) {
  const ParameterRule* rule = rule_of_parameter(name);
  return rule && rule->agents;
}

bool must_be_equal_everywhere(std::string_view name) {
  const ParameterRule* rule = rule_of_parameter(name);
  return rule && rule->equal;
}

std::optional<std::string> refuse_parameter(std::string_view given, std::string_view given_value,
                                            const ParameterBounds& bounds) {
  const std::string name = to_lower(given), value = to_lower(given_value);
  if (!is_name(name)) return "is no name of a PostgreSQL setting: letters, digits, '_' and '.'";
  if (std::any_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    return "must not contain line breaks or other control characters";
  if (const ParameterRule* rule = rule_of_parameter(name); rule && rule->agents) {
    if (rule->value.empty()) return fmt::format("can't be set: {}; leave it out", rule->why);
    if (same_value(value, rule->value)) return std::nullopt;  // it is so
    return fmt::format("is \"{}\", must be {} or left out: {}", given_value, rule->value, rule->why);
  }
  if (name == "wal_level" && !is_one_of(value, {"replica", "logical"}))
    return fmt::format("is \"{}\", must be replica or logical, or nothing can follow", given_value);
  if (name == "synchronous_commit" && bounds.durability != DurabilityMode::kAsync &&
      (boolean(value) == false || is_one_of(value, {"local", "remote_write"})))
    return fmt::format(
        "is \"{}\", must be on or remote_apply where spec.postgres.durability.mode is {}: a commit would not wait for "
        "a replica's disk",
        given_value, to_string(bounds.durability));
  // Every other endpoint streams; a clone takes two senders for a while.
  if (name == "max_wal_senders")
    return refuse_below(value, bounds.endpoints + 2, "every other endpoint streams, and a clone takes two more");
  if (name == "max_replication_slots") return refuse_below(value, bounds.endpoints, "every other endpoint has a slot");
  if (name == "max_connections") return refuse_below(value, 10, "the agent needs some itself");
  if (name == "superuser_reserved_connections")
    return refuse_below(value, 3, "the agent must get in when all others are taken");
  return std::nullopt;
}

Parameters peoples_parameters(const Parameters& parameters) {
  Parameters out;
  for (const auto& [name, value] : parameters)
    if (!belongs_to_agent(name)) out[to_lower(name)] = value;
  return out;
}

std::string fingerprint(const Parameters& parameters) {
  Fingerprint all;
  for (const auto& [name, value] : peoples_parameters(parameters)) {
    all.add(name);
    all.add(value);
  }
  return all.hex();
}

bool may_be_altered(std::string_view name, std::string_view value, const Parameters& of_link,
                    const ParameterBounds& bounds) {
  const std::string key = to_lower(name);
  return !belongs_to_agent(key) && !must_be_equal_everywhere(key) && !of_link.contains(key) &&
         !refuse_parameter(key, value, bounds);
}

}  // namespace twinspan::api
