#include "worker/postgres/backup/test_conf.hpp"

#include <fmt/format.h>

#include "engines/postgres/settings.hpp"
#include "worker/postgres/backup/restored_checks.hpp"

namespace twinspan::worker {
std::string render_test_conf(const postgres::Layout& layout, int port, const std::string& libraries,
                             const std::map<std::string, int64_t>& floor) {
  std::string on_one_line = libraries;
  std::erase_if(on_one_line, [](char c) { return c == '\n' || c == '\r'; });
  std::map<std::string, std::string> values{
      {"cluster_name", "restore-test"},
      {"data_directory", layout.pgdata()},
      {"hba_file", layout.hba_file()},
      {"ident_file", layout.ident_file()},
      {"external_pid_file", ""},
      {"listen_addresses", ""},
      {"port", std::to_string(port)},
      {"unix_socket_directories", layout.run_dir},
      {"unix_socket_permissions", "0700"},
      {"ssl", "off"},
      {"archive_mode", "off"},
      {"logging_collector", "off"},
      {"log_destination", "stderr"},
      {"log_line_prefix", "%p|%b|%u|%d|%a|%e|"},
      {"log_statement", "none"},
      {"restart_after_crash", "off"},
      {"shared_preload_libraries", on_one_line},
      {"jit", "off"},
      {"autovacuum", "off"},
  };
  for (const auto& [name, least] : floor) values[name] = std::to_string(least);
  // Without a worker's place no extension runs one, whatever was loaded; nor does a subscription, or a parallel query.
  values["max_worker_processes"] = "0";
  values["max_logical_replication_workers"] = "0";
  values["max_wal_senders"] = "0";
  // A server that lets nobody in while it recovers needs no more places than it uses.
  values["hot_standby"] = "off";
  std::string text;
  for (const auto& [name, value] : values) text += postgres::render_setting(name, value);
  return text;
}

std::string render_test_hba() {
  return fmt::format("local all {0},{1} peer map=restored\n", postgres::kSuperuser, kTestRole);
}

std::string render_test_ident(const std::string& os_user) {
  return fmt::format("restored \"{0}\" {1}\nrestored \"{0}\" {2}\n", os_user, postgres::kSuperuser, kTestRole);
}

}  // namespace twinspan::worker
