#include "worker/postgres/backup/left_log.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "backup/archive.hpp"
#include "core/log.hpp"

namespace twinspan::worker {
namespace {

constexpr std::string_view kReady = ".ready";

std::string states(const std::string& pgdata) { return pgdata + "/pg_wal/archive_status/"; }

}  // namespace

std::vector<std::string> left_log(const std::string& pgdata) {
  std::vector<std::string> names;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(states(pgdata), failed)) {
    std::string name = entry.path().filename();
    if (!name.ends_with(kReady)) continue;
    name.resize(name.size() - kReady.size());
    if (backup::is_whole_segment(name)) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

Result<bool> store_left(const PgBackRest& program, const std::string& pgdata, const std::stop_token& stop) {
  const std::vector<std::string> names = left_log(pgdata);
  if (names.empty()) return false;
  const std::string& name = names.front();
  const auto pushed = program.run_checked({"archive-push", pgdata + "/pg_wal/" + name}, {}, stop);
  if (!pushed) return std::unexpected(pushed.error());
  log::info("the last log of data that were put aside is stored", {{"file", name}});
  // Stored once more, the same bytes are no trouble.
  const std::string state = states(pgdata) + name;
  std::rename((state + std::string(kReady)).c_str(), (state + ".done").c_str());
  return true;
}

}  // namespace twinspan::worker
