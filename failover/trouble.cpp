#include "failover/trouble.hpp"

#include "failover/names.hpp"

namespace twinspan {
namespace {
constexpr Names<TroubleKind, 5> kKinds{{{TroubleKind::kReplicaWithoutLog, "ReplicaWithoutLog"},
                                        {TroubleKind::kStorageLow, "StorageLow"},
                                        {TroubleKind::kDiskHangs, "DiskHangs"},
                                        {TroubleKind::kTablespaceOutsideVolume, "TablespaceOutsideVolume"},
                                        {TroubleKind::kDatabaseRemade, "DatabaseRemade"}}};
}  // namespace

std::string_view to_string(TroubleKind kind) { return name_of(kKinds, kind); }
std::optional<TroubleKind> parse_trouble_kind(std::string_view text) { return value_of(kKinds, text); }

}  // namespace twinspan
