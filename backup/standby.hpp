// A backup of a replica: pgBackRest runs there, and reaches the primary through `pgbackrest server`, by TLS both ways.
// All options travel from the replica; the primary's side says only who may call (pgBackRest's user guide, "Backup from
// a Standby" and "Setup TLS"). Pure.
#pragma once
#include <string>
#include <vector>

#include "core/result.hpp"

namespace twinspan::backup {

// Of `pgbackrest server` at every member. Between members of a link every port is open.
inline constexpr int kServerPort = 8432;

struct Identity {  // of one side
  std::string ca_file, certificate_file, key_file;
};

struct PrimaryPlace {
  std::string host;  // in its certificate
  int host_port = 0;
  std::string pgdata, socket_directory;  // as its own machine names them
  int port = 0;
};
// For `pgbackrest backup` at the replica, which its configuration calls pg1.
std::vector<std::string> standby_options(const PrimaryPlace& primary, const Identity& client);

struct Server {
  std::string address;
  Identity identity;
  std::string caller;  // the common name of the certificate that may call
  std::string stanza;  // for which
};
// The configuration of `pgbackrest server`. kInvalid: a value would break a line.
Result<std::string> render_server(const Server& server);

}  // namespace twinspan::backup
