#include "contract/member_memory.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace twinspan {
namespace {

constexpr int64_t kLeaseSecondsMost = 2'147'483'647;  // the API's own bound of a lease: whatever was seen is read back

}  // namespace

Json to_json(const MemberMemory& memory) {
  Json json = {{"epochSeen", memory.epoch_seen.value},
               {"dataPart", to_string(memory.part)},
               {"leaseSeconds", memory.lease.count()}};
  if (memory.data_epoch) json["dataEpoch"] = memory.data_epoch->value;
  if (!memory.epochs.empty()) json["epochs"] = to_string(memory.epochs);
  return json;
}

Result<MemberMemory> parse_member_memory(const Json& json) {
  const auto number = [&](const char* key) -> Result<int64_t> {
    const Json& value = member_of(json, key);
    if (!value.is_number_integer() || value.get<int64_t>() < 0)
      return fail(Code::kInvalid, fmt::format("memory: {}: {}: expected a number, 0 or more", key, value.dump()));
    return value.get<int64_t>();
  };
  MemberMemory memory;
  const auto seen = number("epochSeen"), lease = number("leaseSeconds");
  if (!seen) return std::unexpected(seen.error());
  if (!lease) return std::unexpected(lease.error());
  memory.epoch_seen = {*seen};
  if (*lease > kLeaseSecondsMost)
    return fail(Code::kInvalid,
                fmt::format("memory: leaseSeconds: {}: expected {} at most", *lease, kLeaseSecondsMost));
  memory.lease = std::chrono::seconds(*lease);
  if (!member_of(json, "dataEpoch").is_null()) {
    const auto epoch = number("dataEpoch");
    if (!epoch) return std::unexpected(epoch.error());
    memory.data_epoch = Epoch{*epoch};
  }
  const auto part = parse_data_part(text_of(json, "dataPart"));
  if (!part)
    return fail(Code::kInvalid, fmt::format("memory: dataPart: {}: expected Some, Begun or Primary",
                                            member_of(json, "dataPart").dump()));
  memory.part = *part;
  memory.epochs = parse_epoch_history(text_of(json, "epochs"));
  return memory;
}

}  // namespace twinspan
