#include "controllers/postgres/update_gate.hpp"

#include <fmt/format.h>

#include "controllers/cluster/names.hpp"
#include "core/cron.hpp"

namespace twinspan::controllers {
namespace {

// It is open from a minute that the schedule names, for so many minutes of real time: where clocks change meanwhile it
// is as long as ever.
void look_at(const api::UpdateWindow& window, WallTime now, UpdateGate& gate) {
  const auto cron = parse_cron(window.schedule);
  const auto zone = load_zone(window.time_zone);
  if (!cron || !zone) {  // both were read when the spec was accepted: the system's files are others now
    gate.open = false;
    gate.opens =
        fmt::format("spec.postgres.updates.window can be read: {}", cron ? zone.error().message : cron.error().message);
    return;
  }
  const auto last = next_after(*cron, now - std::chrono::minutes(window.duration_minutes), *zone);
  gate.open = last && *last <= now;
  if (gate.open) return;
  gate.opens_at = last;
  gate.opens = last ? fmt::format("the window opens at {}", to_rfc3339(*last)) : "the window opens, which is never";
}

}  // namespace

UpdateGate update_gate(const CachedLink& link, const std::string& version, WallTime now) {
  UpdateGate gate;
  const auto& updates = link.spec.postgres.updates;
  if (!updates) return gate;
  const api::UpdateStatus known = link.status.update.value_or(api::UpdateStatus());
  if (updates->window && known.begun != version) look_at(*updates->window, now, gate);
  const std::string* word = update_word(link);
  gate.primary = updates->primary == api::PrimaryUpdate::kAutomatic || (word && known.request != *word);
  return gate;
}

const std::string* update_word(const CachedLink& link) {
  const auto found = link.metadata.annotations.find(std::string(kUpdatePrimaryAnnotation));
  return found == link.metadata.annotations.end() ? nullptr : &found->second;
}

}  // namespace twinspan::controllers
