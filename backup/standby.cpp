#include "backup/standby.hpp"

#include <fmt/format.h>

#include <utility>

namespace twinspan::backup {

std::vector<std::string> standby_options(const PrimaryPlace& primary, const Identity& client) {
  return {"--backup-standby",
          "--pg2-host=" + primary.host,
          "--pg2-host-type=tls",
          fmt::format("--pg2-host-port={}", primary.host_port),
          "--pg2-host-ca-file=" + client.ca_file,
          "--pg2-host-cert-file=" + client.certificate_file,
          "--pg2-host-key-file=" + client.key_file,
          "--pg2-path=" + primary.pgdata,
          fmt::format("--pg2-port={}", primary.port),
          "--pg2-socket-path=" + primary.socket_directory,
          "--pg2-user=postgres"};
}

Result<std::string> render_server(const Server& server) {
  const std::pair<std::string, std::string> options[] = {
      {"tls-server-address", server.address},
      {"tls-server-port", std::to_string(kServerPort)},
      {"tls-server-ca-file", server.identity.ca_file},
      {"tls-server-cert-file", server.identity.certificate_file},
      {"tls-server-key-file", server.identity.key_file},
      {"tls-server-auth", server.caller + "=" + server.stanza},
      {"log-level-file", "off"},
      {"log-level-console", "off"},
      {"log-level-stderr", "warn"},
      {"log-timestamp", "n"},
  };
  std::string text = "[global]\n";
  for (const auto& [name, value] : options) {
    if (value.empty() || value.find_first_of(std::string("\r\n\0", 3)) != std::string::npos)
      return fail(Code::kInvalid, fmt::format("{}: expected one line that is not empty", name));
    text += fmt::format("{}={}\n", name, value);
  }
  return text;
}

}  // namespace twinspan::backup
