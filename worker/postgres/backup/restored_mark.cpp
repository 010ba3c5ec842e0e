#include "worker/postgres/backup/restored_mark.hpp"

#include <nlohmann/json.hpp>

#include "core/json.hpp"
#include "core/log.hpp"
#include "engines/postgres/files.hpp"

namespace twinspan::worker {
namespace {

std::string file_in(const std::string& data_dir) { return data_dir + "/restored.json"; }

}  // namespace

BackupReport::Restored said_of(const RestoredMark& mark) {
  return {mark.restore, BackupReport::Step::kRestored, "", std::nullopt, mark.reached, mark.until, mark.brought_back};
}

// What can't be read is not known: the Restore goes on saying that it waits.
std::optional<RestoredMark> read_restored_mark(const std::string& data_dir) {
  const auto text = postgres::read_file(file_in(data_dir));
  if (!text) {
    if (text.error().code != Code::kNotFound)
      log::warn("which restore the data came from can't be read", {{"error", text.error().message}});
    return std::nullopt;
  }
  const Json json = Json::parse(*text, nullptr, false);
  const std::string restore = text_of(json, "restore");
  if (restore.empty()) return std::nullopt;
  const Json& opened = member_of(json, "opened");
  return RestoredMark{restore, opened.is_boolean() && opened.get<bool>(), text_of(json, "reached"),
                      text_of(json, "until"), member_of(json, "broughtBack") == true};
}

Status write_restored_mark(const std::string& data_dir, const RestoredMark& mark) {
  Json json = {{"restore", mark.restore}, {"opened", mark.opened}, {"reached", mark.reached}};
  if (!mark.until.empty()) json["until"] = mark.until;
  if (mark.brought_back) json["broughtBack"] = true;
  if (auto wrote = postgres::replace_file(file_in(data_dir), json.dump() + "\n", 0600); !wrote)
    return std::unexpected(wrote.error());
  return postgres::sync_directory(data_dir);
}

}  // namespace twinspan::worker
