// What a link's spec and status ask of one endpoint. Pure.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/postgres_parameters.hpp"
#include "api/types.hpp"
#include "core/result.hpp"
#include "engines/postgres/data.hpp"
#include "engines/postgres/settings.hpp"
#include "failover/assignment.hpp"
#include "failover/lease.hpp"
#include "failover/log/member.hpp"
#include "worker/postgres/desired_objects.hpp"

namespace twinspan::worker {

struct Desired {
  int64_t generation = 0;
  bool paused = false;
  std::optional<Assignment> assignment;
  std::optional<LeaseTiming> lease;  // nullopt: as the command line says
  std::string database;
  postgres::ClusterLocale cluster;  // of a data directory that is made anew
  DesiredObjects objects;
  std::vector<std::string> hba;           // people's lines of pg_hba.conf
  std::vector<api::CustomQuery> queries;  // for metrics, each with its database
  DivergedRule diverged = DivergedRule::kHalt;
  bool warm = false;           // replicas answer no clients
  uint64_t lag_bytes_max = 0;  // a replica within it is Streaming, beyond it CatchingUp; 0: no bound
  double lag_seconds_max = 0;
  std::map<std::string, postgres::Upstream> members;  // other endpoints whose address is known
  postgres::Settings settings;                        // for this endpoint, without upstream and recovery floor
  std::string attempt;                                // api::attempt_of where they are tried; empty: accepted
  bool keep_parameters = false;                       // settings are not to be believed: those that last ran well
  api::ParameterBounds bounds;                        // what settings of this link are judged against
  std::map<std::string, std::string> froms;           // every target: whom it asks to follow; empty: the primary
  std::optional<api::BackupAssignment> backup;        // where log and backups go
  bool backup_of_another = false;                 // what the status says of that is another link's: none is forgotten
  std::string restored_by;                        // the Restore that made the link; empty: nobody restored it
  std::optional<api::RestoreAssignment> restore;  // what the first data come from
  std::optional<api::ImportSettings> import_;     // what the database is filled from
  bool import_completed = false;                  // by the link's status
  std::map<std::string, bool> streams;            // endpoints whose status says that they follow
};

// `tried`: the newest spec, which status.trial asks an endpoint to try. kInvalid where the link doesn't have the
// endpoint, or has it otherwise than managed.
Result<Desired> desired_from(const api::ReplicationLink& link, const std::string& endpoint, const std::string& address,
                             int port, const api::LinkSpec* tried = nullptr);

// Whom `endpoint` streams from while `primary` is primary: its `from` where that one follows the primary itself, by
// status, and not through `endpoint`; else the primary. Empty for the primary, and while there is none.
std::string upstream_of(const Desired& desired, const std::string& endpoint, const std::string& primary);
// The endpoints that stream directly from `endpoint` while `primary` is primary.
std::vector<std::string> downstreams_of(const Desired& desired, const std::string& endpoint,
                                        const std::string& primary);

}  // namespace twinspan::worker
