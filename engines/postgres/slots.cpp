#include "engines/postgres/slots.hpp"

#include <algorithm>
#include <optional>

#include "core/log.hpp"
#include "engines/postgres/admin.hpp"

namespace twinspan::postgres {
namespace {

constexpr std::chrono::milliseconds kTime{10000};
constexpr std::chrono::milliseconds kCheckpoint{60000};
constexpr uint64_t kWorthLettingGo = 64ULL << 20;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

SlotPlan plan_slots(const std::vector<Observation::Slot>& seen, const std::vector<std::string>& wanted, bool critical) {
  SlotPlan plan;
  std::vector<std::string> kept;
  for (const Observation::Slot& slot : seen) {
    const bool ours = slot.name.starts_with("twinspan_");
    const bool crowds = critical && slot.kept_bytes >= kWorthLettingGo;
    const bool useful = contains(wanted, slot.name) && slot.wal_status != "lost" && !crowds;
    if (useful || !ours || slot.active) {
      kept.push_back(slot.name);
      continue;
    }
    plan.drop.push_back(slot.name);
    plan.makes_room = plan.makes_room || crowds;
  }
  if (critical) return plan;
  for (const std::string& name : wanted)
    if (!contains(kept, name)) plan.create.push_back(name);
  return plan;
}

Status carry_out(Session& session, const SlotPlan& plan, const std::stop_token& stop) {
  std::optional<Error> first;
  const auto note = [&](const Result<Rows>& done, Code harmless) {
    if (!done && done.error().code != harmless && !first) first = done.error();
  };
  for (const std::string& name : plan.drop) {
    log::info("replication slot dropped", {{"slot", name}, {"volume_nearly_full", plan.makes_room}});
    note(session.query("SELECT pg_drop_replication_slot($1)", {name}, kTime, stop), Code::kNotFound);
  }
  for (const std::string& name : plan.create) {
    log::info("replication slot created", {{"slot", name}});
    note(session.query("SELECT pg_create_physical_replication_slot($1, true)", {name}, kTime, stop),
         Code::kAlreadyExists);
  }
  if (first) return std::unexpected(*first);
  if (plan.makes_room) return checkpoint(session, kCheckpoint, stop);
  return {};
}

}  // namespace twinspan::postgres
