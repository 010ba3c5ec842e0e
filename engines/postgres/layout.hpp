// Where one instance keeps its things. Configuration lives outside PGDATA, so that neither a clone nor pg_rewind, which
// copy whatever lies in the source's PGDATA, can bring another member's configuration along.
#pragma once
#include <string>

namespace twinspan::postgres {

struct Layout {
  std::string bin_dir;   // of PostgreSQL's programs
  std::string data_dir;  // a volume that outlives the pod
  std::string run_dir;   // socket, configuration, private copies of keys; empty after a restart of the pod
  std::string
      tls_dir;  // the mounted Secret: tls.crt, tls.key (served), client.crt, client.key (shown to an upstream), ca.crt

  std::string program(const std::string& name) const { return bin_dir + "/" + name; }
  std::string pgdata() const { return data_dir + "/pgdata"; }
  // Built beside PGDATA and renamed when whole: what lies at pgdata() is always a complete instance.
  std::string unfinished() const { return data_dir + "/unfinished"; }
  std::string conf_file() const { return run_dir + "/postgresql.conf"; }
  std::string hba_file() const { return run_dir + "/pg_hba.conf"; }
  std::string ident_file() const { return run_dir + "/pg_ident.conf"; }
  std::string certificate_file() const { return run_dir + "/tls.crt"; }
  std::string key_file() const { return run_dir + "/tls.key"; }
  std::string client_certificate_file() const { return run_dir + "/client.crt"; }
  std::string client_key_file() const { return run_dir + "/client.key"; }
  std::string ca_file() const { return run_dir + "/ca.crt"; }
};

inline constexpr const char* kSuperuser = "postgres";
// The role that replicates and rewinds; also the CN of the client certificate that proves it.
inline constexpr const char* kReplicationRole = "twinspan_replication";
// The role that asks people's queries for metrics, on the own socket.
inline constexpr const char* kMetricsRole = "twinspan_metrics";

}  // namespace twinspan::postgres
