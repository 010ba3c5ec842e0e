#include "api/postgres_parameters.hpp"

#include <charconv>

#include "core/text.hpp"

namespace twinspan::api {

namespace {

constexpr std::string_view kAddresses =
    "belongs to the agent: it listens on the pod's address, port 5432, with mutual TLS for replication; leave it out";
constexpr std::string_view kFiles = "belongs to the agent: it places and writes PostgreSQL's files; leave it out";
constexpr std::string_view kReplication =
    "belongs to the agent: it follows from the link and from who is primary; leave it out";
constexpr std::string_view kArchive = "belongs to the agent: archiving and recovery follow from the link; leave it out";
constexpr std::string_view kLogs = "belongs to the agent: logs go to the container's output; leave it out";

struct Owned {
  std::string_view name;
  std::string_view why;
};

constexpr Owned kOwned[] = {
    {"listen_addresses", kAddresses},
    {"port", kAddresses},
    {"unix_socket_directories", kAddresses},
    {"unix_socket_group", kAddresses},
    {"unix_socket_permissions", kAddresses},
    {"ssl", kAddresses},
    {"bonjour", kAddresses},
    {"bonjour_name", kAddresses},
    {"data_directory", kFiles},
    {"config_file", kFiles},
    {"hba_file", kFiles},
    {"ident_file", kFiles},
    {"external_pid_file", kFiles},
    {"include", kFiles},
    {"include_dir", kFiles},
    {"include_if_exists", kFiles},
    {"krb_server_keyfile", kFiles},
    {"primary_conninfo", kReplication},
    {"primary_slot_name", kReplication},
    {"promote_trigger_file", kReplication},
    {"synchronous_standby_names", kReplication},
    {"hot_standby", kReplication},
    {"cluster_name", kReplication},
    {"restart_after_crash", kReplication},
    {"wal_log_hints", kReplication},
    {"restore_command", kArchive},
    {"logging_collector", kLogs},
    {"log_directory", kLogs},
    {"log_filename", kLogs},
    {"log_destination", kLogs},
    {"event_source", kLogs},
};
constexpr Owned kOwnedPrefixes[] = {{"ssl_", kAddresses}, {"archive_", kArchive}, {"recovery_", kArchive}};

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// PostgreSQL takes any unambiguous beginning of true, false, yes and no, and on, off, 1, 0 (guc.c,
// parse_bool_with_len).
bool is_off(const std::string& value) {
  return value == "0" || value == "of" || value == "off" ||
         (!value.empty() &&
          (std::string_view("false").starts_with(value) || std::string_view("no").starts_with(value)));
}

bool is_name(std::string_view name) {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.'; }) &&
         !(name.front() >= '0' && name.front() <= '9') && name.front() != '.' && name.back() != '.';
}

std::optional<std::string> refuse_below(const std::string& value, int64_t least, std::string_view why) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size()) return "must be an integer";
  if (number < least) return "must be at least " + std::to_string(least) + ": " + std::string(why);
  return std::nullopt;
}

}  // namespace

std::optional<std::string> refuse_parameter(std::string_view given, std::string_view given_value,
                                            const ParameterBounds& bounds) {
  const std::string name = to_lower(given), value = to_lower(given_value);
  if (!is_name(name)) return "is no name of a PostgreSQL setting: letters, digits, '_' and '.'";
  if (std::any_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    return "must not contain line breaks or other control characters";
  for (const Owned& owned : kOwned)
    if (name == owned.name) return std::string(owned.why);
  for (const Owned& owned : kOwnedPrefixes)
    if (name.starts_with(owned.name)) return std::string(owned.why);

  if (name == "wal_level" && !is_one_of(value, {"replica", "logical"}))
    return "must be replica or logical, or nothing can follow";
  if (is_one_of(name, {"fsync", "full_page_writes"}) && is_off(value))
    return "must stay on: a crash would corrupt the data";
  if (name == "synchronous_commit" && bounds.durability != DurabilityMode::kAsync &&
      (is_off(value) || is_one_of(value, {"local", "remote_write"})))
    return "must be on or remote_apply where spec.postgres.durability.mode is " +
           std::string(to_string(bounds.durability)) + ": a commit would not wait for a replica's disk";
  // Every other endpoint streams; a clone takes two senders for a while.
  if (name == "max_wal_senders")
    return refuse_below(value, bounds.endpoints + 2, "every other endpoint streams, and a clone takes two more");
  if (name == "max_replication_slots") return refuse_below(value, bounds.endpoints, "every other endpoint has a slot");
  if (name == "max_connections") return refuse_below(value, 10, "the agent needs some itself");
  if (name == "superuser_reserved_connections")
    return refuse_below(value, 3, "the agent must get in when all others are taken");
  if (name == "data_sync_retry" && !is_off(value))
    return "must stay off: data that could not be written would count as written";
  return std::nullopt;
}

bool must_be_equal_everywhere(std::string_view name) {
  const std::string key = to_lower(name);
  return is_one_of(key, {"max_connections", "max_prepared_transactions", "max_locks_per_transaction", "max_wal_senders",
                         "max_worker_processes", "wal_level"});
}

}  // namespace twinspan::api
