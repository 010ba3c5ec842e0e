#include "engines/postgres/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace twinspan::postgres {
namespace {

// Chosen for a replicated instance in a pod; people may override them.
const std::map<std::string, std::string>& defaults() {
  static const std::map<std::string, std::string> values{
      {"max_wal_senders", "16"},
      {"max_replication_slots", "16"},
      {"wal_keep_size", "256MB"},
      {"max_slot_wal_keep_size", "4GB"},  // a replica that is away must not fill the primary's disk
      {"wal_sender_timeout", "5s"},
      {"wal_receiver_timeout", "5s"},
      {"wal_receiver_status_interval", "1s"},
      {"wal_retrieve_retry_interval", "200ms"},
      {"hot_standby_feedback", "on"},
      {"password_encryption", "scram-sha-256"},
      {"log_min_messages", "warning"},
      {"log_checkpoints", "off"},
      {"dynamic_shared_memory_type", "posix"},
      // PostgreSQL's own defaults, said aloud. They are part of a replica's recovery floor: a line that is there while
      // it recovers and gone once it is promoted would count as a change that needs a restart, of the new primary,
      // after every failover.
      {"max_connections", "100"},
      {"max_worker_processes", "8"},
      {"max_prepared_transactions", "0"},
      {"max_locks_per_transaction", "64"},
  };
  return values;
}

const std::set<std::string>& reserved() {
  static const std::set<std::string> names{"allow_system_table_mods",
                                           "archive_cleanup_command",
                                           "bonjour",
                                           "cluster_name",
                                           "config_file",
                                           "data_directory",
                                           "data_sync_retry",
                                           "event_source",
                                           "external_pid_file",
                                           "fsync",
                                           "full_page_writes",
                                           "hba_file",
                                           "hot_standby",
                                           "ident_file",
                                           "include",
                                           "include_dir",
                                           "include_if_exists",
                                           "jit_provider",
                                           "listen_addresses",
                                           "log_destination",
                                           "log_directory",
                                           "log_filename",
                                           "log_line_prefix",
                                           "logging_collector",
                                           "port",
                                           "primary_conninfo",
                                           "primary_slot_name",
                                           "promote_trigger_file",
                                           "recovery_end_command",
                                           "recovery_target",
                                           "recovery_target_action",
                                           "recovery_target_inclusive",
                                           "recovery_target_lsn",
                                           "recovery_target_name",
                                           "recovery_target_time",
                                           "recovery_target_timeline",
                                           "recovery_target_xid",
                                           "restart_after_crash",
                                           "restore_command",
                                           "ssl",
                                           "ssl_ca_file",
                                           "ssl_cert_file",
                                           "ssl_crl_dir",
                                           "ssl_crl_file",
                                           "ssl_key_file",
                                           "ssl_passphrase_command",
                                           "ssl_passphrase_command_supports_reload",
                                           "synchronous_standby_names",
                                           "unix_socket_directories",
                                           "unix_socket_group",
                                           "unix_socket_permissions",
                                           "wal_level",
                                           "wal_log_hints",
                                           "zero_damaged_pages"};
  return names;
}

std::string quoted(const std::string& value) {
  std::string text = "'";
  for (const char c : value) {
    if (c == '\'') text += '\'';
    if (c == '\\') text += '\\';
    text += c;
  }
  return text + "'";
}

void raise_to_floor(std::map<std::string, std::string>& values, const std::map<std::string, int64_t>& floor) {
  for (const auto& [name, least] : floor) {
    const auto found = values.find(name);
    int64_t value = 0;
    if (found != values.end()) {
      const std::string& text = found->second;
      if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) continue;
    }
    if (value < least) values[name] = std::to_string(least);
  }
}

}  // namespace

bool is_reserved_parameter(const std::string& name) { return reserved().contains(name); }

Status check_parameters(const std::map<std::string, std::string>& parameters) {
  for (const auto& [name, value] : parameters) {
    const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.'; };
    if (name.empty() || !std::all_of(name.begin(), name.end(), plain))
      return fail(Code::kInvalid,
                  fmt::format("parameters[{}]: expected a name of small letters, digits, _ and .", name));
    if (is_reserved_parameter(name))
      return fail(Code::kInvalid, fmt::format("parameters[{}]: this parameter is set by the agent", name));
    if (value.find_first_of(std::string("\n\r\0", 3)) != std::string::npos)
      return fail(Code::kInvalid, fmt::format("parameters[{}]: expected a value on one line", name));
  }
  return {};
}

std::string synchronous_standby_names(const std::vector<std::string>& candidates, int64_t replicas) {
  if (candidates.empty() || replicas <= 0) return "";
  std::string names;
  for (const std::string& name : candidates) names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", name);
  return fmt::format("ANY {} ({})", replicas, names);
}

std::string render_conf(const Layout& layout, const Settings& settings) {
  std::map<std::string, std::string> values = defaults();
  for (const auto& [name, value] : settings.parameters)
    if (!is_reserved_parameter(name)) values[name] = value;
  raise_to_floor(values, settings.recovery_floor);
  const std::map<std::string, std::string> ours{
      {"cluster_name", settings.endpoint},
      {"data_directory", layout.pgdata()},
      {"hba_file", layout.hba_file()},
      {"ident_file", layout.ident_file()},
      {"listen_addresses", settings.address},
      {"port", std::to_string(settings.port)},
      {"unix_socket_directories", layout.run_dir},
      {"unix_socket_permissions", "0700"},
      {"ssl", "on"},
      {"ssl_cert_file", layout.certificate_file()},
      {"ssl_key_file", layout.key_file()},
      {"ssl_ca_file", layout.ca_file()},
      {"wal_level", "replica"},
      {"wal_log_hints", "on"},
      {"fsync", "on"},
      {"full_page_writes", "on"},
      {"hot_standby", "on"},
      {"logging_collector", "off"},
      {"log_destination", "stderr"},
      {"log_line_prefix", "%p|%b|%u|%d|%a|%e|"},  // log_line.hpp takes it apart
      // A crashed backend ends the whole instance: the agent then decides, instead of a recovery of unknown length
      // here.
      {"restart_after_crash", "off"},
      {"recovery_target_timeline", "latest"},
      {"synchronous_standby_names", synchronous_standby_names(settings.sync_candidates, settings.sync_replicas)},
      {"primary_conninfo",
       settings.upstream ? upstream_conninfo(layout, *settings.upstream, settings.endpoint) : std::string()},
      {"primary_slot_name", settings.upstream ? slot_name(settings.endpoint) : std::string()},
  };
  for (const auto& [name, value] : ours) values[name] = value;
  std::string text = "# Written by twinspan-worker from the link's spec; changes made here are overwritten.\n";
  for (const auto& [name, value] : values) text += fmt::format("{} = {}\n", name, quoted(value));
  return text;
}

std::string render_hba(bool accept_clients) {
  return fmt::format(
      "# Written by twinspan-worker; changes made here are overwritten.\n"
      "local   all          {0}  peer map=twinspan\n"
      "hostssl replication  {1}  all  cert clientcert=verify-full\n"
      "hostssl postgres     {1}  all  cert clientcert=verify-full\n"
      "hostssl all          {1},{0}  all  reject\n"
      "hostssl all          all  all  {2}\n",
      kSuperuser, kReplicationRole, accept_clients ? "scram-sha-256" : "reject");
}

std::string render_ident(const std::string& os_user) {
  return fmt::format("twinspan \"{}\" {}\n", os_user, kSuperuser);
}

}  // namespace twinspan::postgres
