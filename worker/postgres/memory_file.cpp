#include "worker/postgres/memory_file.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "contract/member_memory.hpp"
#include "engines/postgres/files.hpp"

namespace twinspan::worker {

std::string memory_path(const std::string& data_dir) { return data_dir + "/memory.json"; }

Result<std::optional<StoredMemory>> read_memory(const std::string& data_dir) {
  const std::string path = memory_path(data_dir);
  const auto unreadable = [&](const std::string& why) {
    return fail(Code::kInvalid,
                fmt::format("{}: {}: what this endpoint remembers can't be read, so it neither becomes primary nor "
                            "follows one. Put the file back, or delete volume and pod so that it is cloned anew",
                            path, why));
  };
  const auto text = postgres::read_file(path);
  if (!text) {
    if (text.error().code == Code::kNotFound) return std::optional<StoredMemory>();
    return unreadable(text.error().message);
  }
  const Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object()) return unreadable("no JSON object");
  const auto memory = parse_member_memory(json);
  if (!memory) return unreadable(memory.error().message);
  return std::optional(StoredMemory{*memory, text_of(json, "systemId")});
}

Status write_memory(const std::string& data_dir, const StoredMemory& stored) {
  Json json = to_json(stored.memory);
  json["systemId"] = stored.system_id;
  if (auto wrote = postgres::replace_file(memory_path(data_dir), json.dump() + "\n", 0600); !wrote)
    return std::unexpected(wrote.error());
  return postgres::sync_directory(data_dir);
}

MemberMemory memory_of(const std::optional<StoredMemory>& stored, bool has_data, const std::string& system_id) {
  MemberMemory memory{{}, has_data ? std::nullopt : std::optional(Epoch{0}), DataPart::kSome, {}};
  if (!stored) return memory;
  memory = stored->memory;
  const bool replaced = has_data && memory.data_epoch != Epoch{0} && stored->system_id != system_id;
  if (has_data && !replaced) return memory;
  memory.data_epoch = has_data ? std::nullopt : std::optional(Epoch{0});
  memory.part = DataPart::kSome;
  return memory;
}

}  // namespace twinspan::worker
