#include "backup/types.hpp"

#include "failover/names.hpp"

namespace twinspan::backup {
namespace {

constexpr Names<Kind, 3> kNames{
    {{Kind::kFull, "Full"}, {Kind::kDifferential, "Differential"}, {Kind::kIncremental, "Incremental"}}};

}  // namespace

std::string_view to_string(Kind kind) { return name_of(kNames, kind); }
std::optional<Kind> parse_kind(std::string_view text) { return value_of(kNames, text); }

}  // namespace twinspan::backup
