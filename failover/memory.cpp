#include "failover/memory.hpp"

#include <fmt/format.h>

#include "failover/names.hpp"

namespace twinspan {
namespace {

constexpr Names<DataPart, 3> kParts{
    {{DataPart::kSome, "Some"}, {DataPart::kBegun, "Begun"}, {DataPart::kPrimary, "Primary"}}};

}  // namespace

std::string_view to_string(DataPart part) { return name_of(kParts, part); }
std::optional<DataPart> parse_data_part(std::string_view text) { return value_of(kParts, text); }

std::string to_string(const MemberMemory& memory) {
  if (!memory.data_epoch) return fmt::format("seen {}, data of an unknown epoch", memory.epoch_seen.value);
  return fmt::format("seen {}, data {} {}", memory.epoch_seen.value, memory.data_epoch->value, to_string(memory.part));
}

Epoch log_of(const MemberMemory& memory) {
  const Epoch data = memory.data_epoch.value_or(Epoch{0});
  return data == Epoch{0} || memory.epochs.empty() ? data : memory.epochs.back().epoch;
}

}  // namespace twinspan
