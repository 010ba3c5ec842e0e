// The configuration files of one instance, rendered from what is declared. Pure.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "engines/postgres/conninfo.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/room.hpp"

namespace twinspan::postgres {

struct Settings {
  std::string endpoint;
  std::string address;  // listened on; empty: the socket alone
  int port = 5432;
  std::optional<WalBounds> wal;                   // by the volume; nullopt: its size isn't known
  std::map<std::string, std::string> parameters;  // of people, names in lower case, none that the agent decides
  std::vector<std::string> sync_candidates;       // endpoints that may confirm commits; empty: commits wait for nobody
  int64_t sync_replicas = 1;                      // how many of them
  std::optional<Upstream> upstream;  // where it receives from while in recovery; nullopt: it receives nothing
  bool accept_clients = true;        // false: a warm standby, which nobody but the agent reads
  std::vector<std::string> hba;      // people's lines of pg_hba.conf, found to be right by PostgreSQL (hba.hpp)
  std::string archive_command;       // empty: nothing is archived, and archive_mode stays off
  std::string restore_command;       // of a replica whose upstream lacks log (archive/follow.hpp); empty: none
  // Least values that recovery needs: those of the primary whose WAL is replayed (pg_controldata), by parameter name.
  std::map<std::string, int64_t> recovery_floor;
  // Recovered beside another instance that goes on: it takes little of its memory and its volume, nobody gets in before
  // it is a primary, and nothing of what is in it runs: no worker of an extension, no subscription.
  bool beside = false;
};
// As they would be where nothing is replayed.
inline Settings without_floor(Settings settings) {
  settings.recovery_floor.clear();
  return settings;
}

// kInvalid names the parameter that is unspeakable or ill-formed. Which of them people may set is not judged here, and
// values PostgreSQL judges itself.
Status check_parameters(const std::map<std::string, std::string>& parameters);

// What the agent decides, whatever people's parameters say: TLS, addresses, replication, files.
std::map<std::string, std::string> agents_settings(const Layout& layout, const Settings& settings);

std::string render_setting(const std::string& name, const std::string& value);  // a line of postgresql.conf, quoted
std::string render_conf(const Layout& layout, const Settings& settings);
// `os_user`: the account the agent runs as, which Twinspan's roles are mapped to on the socket.
std::string render_ident(const std::string& os_user);
// `ANY 1 ("west", "west-2")`; empty where nobody has to confirm.
std::string synchronous_standby_names(const std::vector<std::string>& candidates, int64_t replicas);

}  // namespace twinspan::postgres
