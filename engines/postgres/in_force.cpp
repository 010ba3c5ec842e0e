#include "engines/postgres/in_force.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/json.hpp"

namespace twinspan::postgres {
namespace {

// pg_file_settings says what stands in the files and what the server thinks of it, pg_settings what it runs with. A
// name with a dot that no library has claimed is in neither view of the latter; then its text is all there is to it.
// What this very session was opened with (open_local) is of source 'session': of those the file's line must be the one
// that is applied, which it is not where a later one overrides it.
constexpr const char* kQuery = R"(
SELECT json_build_object(
  'loaded', extract(epoch FROM pg_conf_load_time()),
  'settings', coalesce((SELECT json_agg(json_build_object(
     'name', a.key, 'known', s.name IS NOT NULL, 'pending', coalesce(s.pending_restart, false),
     'here', coalesce(s.sourcefile = current_setting('config_file'), false) OR coalesce(s.source = 'session', false) AND EXISTS (
                SELECT FROM pg_file_settings f
                WHERE lower(f.name) = a.key AND f.sourcefile = current_setting('config_file') AND f.applied),
     'source', coalesce(s.sourcefile, s.source),
     'error', (SELECT f.error FROM pg_file_settings f
                WHERE lower(f.name) = a.key AND f.sourcefile = current_setting('config_file') AND NOT f.applied ORDER BY f.seqno DESC LIMIT 1),
     'same_text', coalesce(current_setting(a.key, true) = a.value, false)))
   FROM json_each_text($1::json) AS a LEFT JOIN pg_settings s ON lower(s.name) = a.key), '[]'))::text)";

std::optional<std::string> trouble_of(const Json& one) {
  const std::string error = text_of(one, "error");
  const bool known = one.value("known", false);
  if (!known && one.value("same_text", false)) return std::nullopt;
  if (!known) return error.empty() ? "PostgreSQL has no setting of this name" : error;
  if (one.value("pending", false)) return "waits for a restart";
  if (!error.empty()) return error;
  if (!one.value("here", false)) return fmt::format("overridden by {}", text_of(one, "source"));
  return std::nullopt;
}

}  // namespace

Result<SettingsSeen> settings_in_force(Session& session, const std::map<std::string, std::string>& asked,
                                       std::chrono::milliseconds timeout, const std::stop_token& stop) {
  const Json names = asked;
  const auto rows = session.query(kQuery, {names.dump()}, timeout, stop);
  if (!rows) return std::unexpected(rows.error());
  if (rows->size() != 1 || rows->front().size() != 1 || !rows->front().front())
    return fail(Code::kInternal, "settings: expected one row");
  const Json json = Json::parse(*rows->front().front(), nullptr, false);
  if (!json.is_object() || !json.value("loaded", Json()).is_number())
    return fail(Code::kInternal, "settings: expected a JSON object");
  SettingsSeen seen;
  const auto micros = static_cast<int64_t>(std::floor(json["loaded"].get<double>() * 1e6));
  seen.loaded_at = WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::microseconds(micros)));
  for (const Json& one : member_of(json, "settings"))
    if (auto why = trouble_of(one)) seen.not_in_force.push_back({text_of(one, "name"), std::move(*why)});
  return seen;
}

}  // namespace twinspan::postgres
