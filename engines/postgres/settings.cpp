#include "engines/postgres/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

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
      {"log_line_prefix", "%p|%b|%u|%d|%a|%e|"},  // log_line.hpp takes it apart, and others as far as it can
      {"log_min_messages", "warning"},
      {"log_checkpoints", "off"},
      {"dynamic_shared_memory_type", "posix"},
      // PostgreSQL's own defaults, said aloud. They are part of a replica's recovery floor: a line that is there while
      // it recovers and gone once it is promoted would count as a change that needs a restart, of the new primary,
      // after every failover.
      {"wal_level", "replica"},
      {"max_connections", "100"},
      {"max_worker_processes", "8"},
      {"max_prepared_transactions", "0"},
      {"max_locks_per_transaction", "64"},
  };
  return values;
}

const std::map<std::string, std::string>& while_beside() {
  static const std::map<std::string, std::string> values{
      {"shared_buffers", "64MB"}, {"huge_pages", "off"},         {"max_wal_size", "256MB"},
      {"min_wal_size", "80MB"},   {"wal_keep_size", "0"},        {"autovacuum", "off"},
      {"hot_standby", "off"},     {"max_worker_processes", "0"}, {"max_logical_replication_workers", "0"},
  };
  return values;
}

std::string megabytes(uint64_t bytes) { return fmt::format("{}MB", bytes >> 20); }

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

Status check_parameters(const std::map<std::string, std::string>& parameters) {
  for (const auto& [name, value] : parameters) {
    const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.'; };
    if (name.empty() || !std::all_of(name.begin(), name.end(), plain) || name.starts_with("include"))
      return fail(
          Code::kInvalid,
          fmt::format("parameters[{}]: expected the name of a setting, of small letters, digits, _ and .", name));
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

std::map<std::string, std::string> agents_settings(const Layout& layout, const Settings& settings) {
  std::map<std::string, std::string> values{
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
      {"wal_log_hints", "on"},
      {"fsync", "on"},
      {"full_page_writes", "on"},
      {"hot_standby", "on"},
      {"logging_collector", "off"},
      {"log_destination", "stderr"},
      // A crashed backend ends the whole instance: the agent then decides, instead of a recovery of unknown length
      // here.
      {"restart_after_crash", "off"},
      {"recovery_target_timeline", "latest"},
      {"synchronous_standby_names", synchronous_standby_names(settings.sync_candidates, settings.sync_replicas)},
      {"primary_conninfo",
       settings.upstream ? receiver_conninfo(layout, *settings.upstream, settings.endpoint) : std::string()},
      {"primary_slot_name", settings.upstream ? slot_name(settings.endpoint) : std::string()},
  };
  // Only where log is stored: with archive_mode every clean stop fills the segment it ends in, and sends it to every
  // replica. Replicas keep what they receive until it is stored, too.
  if (!settings.archive_command.empty()) {
    values["archive_mode"] = "always";
    values["archive_command"] = settings.archive_command;
    // The unfinished segment is stored as it grows (worker/postgres/backup/tail_keeper.hpp). It is filled up all the
    // same, though seldom: the stock pgBackRest knows whole segments only.
    values["archive_timeout"] = "300s";
  }
  if (!settings.restore_command.empty()) values["restore_command"] = settings.restore_command;
  return values;
}

std::string render_setting(const std::string& name, const std::string& value) {
  std::string quoted;
  for (const char c : value) {
    if (c == '\'' || c == '\\') quoted += c;
    quoted += c;
  }
  return fmt::format("{} = '{}'\n", name, quoted);
}

std::string render_conf(const Layout& layout, const Settings& settings) {
  std::map<std::string, std::string> values = defaults();
  if (settings.wal) {
    values["max_slot_wal_keep_size"] = megabytes(settings.wal->slots_bytes);
    values["max_wal_size"] = megabytes(settings.wal->checkpoint_bytes);
    values["wal_keep_size"] = megabytes(settings.wal->keep_bytes);
  }
  for (const auto& [name, value] : settings.parameters) values[name] = value;
  raise_to_floor(values, settings.recovery_floor);
  for (const auto& [name, value] : agents_settings(layout, settings)) values[name] = value;
  if (settings.beside)
    for (const auto& [name, value] : while_beside()) values[name] = value;
  std::string text = "# Written by twinspan-worker from the link's spec; changes made here are overwritten.\n";
  for (const auto& [name, value] : values) text += render_setting(name, value);
  return text;
}

std::string render_ident(const std::string& os_user) {
  return fmt::format("twinspan \"{0}\" {1}\ntwinspan \"{0}\" {2}\n", os_user, kSuperuser, kMetricsRole);
}

}  // namespace twinspan::postgres
