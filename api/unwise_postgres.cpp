#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "api/endpoints.hpp"
#include "api/hba_lines.hpp"
#include "api/managed_defaults.hpp"
#include "api/postgres_parameters.hpp"
#include "api/quantity.hpp"
#include "api/validate_postgres.hpp"

namespace twinspan::api {
namespace {

using Warnings = std::vector<std::string>;

// PostgreSQL's own units (20.1.1 Parameter Names and Values); without one max_wal_size counts MB. nullopt: not a size,
// which PostgreSQL will say itself.
std::optional<int64_t> wal_bytes(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || number > (int64_t{1} << 31)) return std::nullopt;
  std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  if (unit.empty() || unit == "MB") return number << 20;
  if (unit == "kB") return number << 10;
  if (unit == "GB") return number << 30;
  if (unit == "TB" && number < (1 << 20)) return number << 40;
  return std::nullopt;
}

void look_at_volumes(const ReplicationLink& link, Warnings& out) {
  for (const EndpointPlace& place : endpoint_places(link)) {
    if (!place.endpoint->postgres || !place.endpoint->postgres->managed) continue;
    const ManagedPostgres& managed = *place.endpoint->postgres->managed;
    const Parameters parameters = peoples_parameters(managed.parameters);
    const auto said = parameters.find("max_wal_size");
    const std::string wal = said == parameters.end() ? "1GB" : said->second;
    const auto bytes = wal_bytes(wal);
    const auto size = parse_quantity(managed.storage.size);
    if (!bytes || !size || *size >= 2 * static_cast<long double>(*bytes)) continue;
    std::string warning = fmt::format(
        "{}.storage.size: {} is less than twice max_wal_size ({}): the log alone "
        "may fill the volume, and PostgreSQL stops then",
        managed_field(link, place, [](const auto& one) { return one.storage.size; }), managed.storage.size, wal);
    // What stands in one place is said once, however many endpoints take it from there.
    if (std::find(out.begin(), out.end(), warning) == out.end()) out.push_back(std::move(warning));
  }
}

void look_at_durability(const ReplicationLink& link, Warnings& out) {
  const auto& durability = link.spec.postgres.durability;
  if (durability.mode != DurabilityMode::kSync) return;
  const auto direct = std::count_if(link.spec.targets.begin(), link.spec.targets.end(),
                                    [&](const auto& one) { return !one.from || *one.from == link.spec.source.name; });
  if (durability.replicas < direct) return;
  out.push_back(
      fmt::format("spec.postgres.durability: Sync waits for {}: while one is away no commit is answered. Add a "
                  "target, or wait for fewer",
                  direct == 1 ? "the only replica" : "every replica"));
}

void look_at_ephemeral(const ReplicationLink& link, Warnings& out) {
  const std::vector<EndpointPlace> places = endpoint_places(link);
  if (std::all_of(places.begin(), places.end(), [](const EndpointPlace& place) {
        return place.endpoint->postgres && place.endpoint->postgres->managed &&
               place.endpoint->postgres->managed->storage.ephemeral;
      }))
    out.push_back("spec: every endpoint is ephemeral: when all pods go at once, so do the data");
}

void look_at_superusers(const ReplicationLink& link, Warnings& out) {
  const auto& roles = link.spec.postgres.roles;
  const auto warn = [&](size_t i, const std::string& field, const char* what) {
    out.push_back(fmt::format("spec.postgres.roles[{}].{}: whoever logs in as {} {}", i, field, roles[i].name, what));
  };
  constexpr const char* kReadsKeys = "can read the pod's files and keys, and act as the link's member";
  for (size_t i = 0; i < roles.size(); ++i) {
    if (roles[i].ensure != Ensure::kPresent) continue;
    if (roles[i].superuser) warn(i, "superuser", kReadsKeys);
    // Of PostgreSQL 15: it grants itself the predefined roles.
    if (roles[i].createrole) warn(i, "createrole", kReadsKeys);
    if (roles[i].replication)
      warn(i, "replication", "can read everything that is written, and bear a replica's name, which commits wait for");
    for (const std::string& group : roles[i].in_roles)
      if (group == "pg_execute_server_program" || group == "pg_write_server_files" || group == "pg_read_server_files")
        warn(i, fmt::format("inRoles \"{}\"", group), kReadsKeys);
  }
}

}  // namespace

void warn_postgres(const ReplicationLink& link, Warnings& out) {
  look_at_volumes(link, out);
  look_at_durability(link, out);
  look_at_ephemeral(link, out);
  look_at_superusers(link, out);
  warn_of_hba(link.spec.postgres.hba, out);
}

void warn_postgres_policy(const FailoverPolicy& policy, const ReplicationLink& link, Warnings& out) {
  if (policy.spec.mode == FailoverMode::kAutomatic && link.spec.postgres.durability.mode == DurabilityMode::kAsync &&
      policy.spec.candidates.max_lag_bytes == 0)
    out.push_back(
        fmt::format("spec.candidates.maxLagBytes: 0, and link {} is Async: on a busy link no replica has "
                    "everything, and no failover finds a candidate. Set Sync, or allow some loss",
                    link.metadata.name));
}

}  // namespace twinspan::api
