#include "api/update_settings.hpp"

#include <algorithm>

#include "core/cron.hpp"

namespace twinspan::api {
namespace {

using std::chrono::minutes;

// From one opening to the next, where they are nearest: of so many that a day with all its openings is among them, and
// a year of days where they are few. By UTC, because what zones do to their clocks twice a year is no reason to refuse.
std::optional<minutes> shortest_period(const Cron& cron) {
  constexpr int kOpenings = 400;
  std::optional<minutes> shortest;
  auto last = next_after(cron, WallTime{});
  for (int i = 0; i < kOpenings && last; ++i) {
    const auto next = next_after(cron, *last);
    if (!next) break;
    const auto period = std::chrono::floor<minutes>(*next - *last);
    shortest = shortest ? std::min(*shortest, period) : period;
    last = next;
  }
  return shortest;
}

}  // namespace

void check_updates(const UpdateSettings& updates, std::vector<FieldError>& errors) {
  if (!updates.window) return;
  const std::string field = "spec.postgres.updates.window";
  if (const auto zone = load_zone(updates.window->time_zone); !zone)
    errors.push_back({field + ".timeZone", zone.error().message});
  const auto cron = parse_cron(updates.window->schedule);
  if (!cron) {
    errors.push_back({field + ".schedule", cron.error().message});
    return;
  }
  const auto period = shortest_period(*cron);
  if (period && minutes(updates.window->duration_minutes) >= *period)
    errors.push_back({field + ".durationMinutes",
                      "is " + std::to_string(updates.window->duration_minutes) + ", but \"" + updates.window->schedule +
                          "\" opens it again after " + std::to_string(period->count()) +
                          " minutes: it would never be shut, take less or leave the window out"});
}

}  // namespace twinspan::api
