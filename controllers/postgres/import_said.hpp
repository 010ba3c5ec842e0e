// How the import of spec.postgres.bootstrap stands, by what the primary's agent says and what was written down of it.
// Pure.
#pragma once
#include <optional>

#include "controllers/link/engine.hpp"
#include "controllers/link/link_seen.hpp"
#include "controllers/link/verdict.hpp"

namespace twinspan::controllers {

inline constexpr const char* kImportFailed = "ImportFailed";

// status.import. nullopt: none is asked for, or nobody said anything of it so far.
std::optional<api::ImportStatus> next_import(const LinkSeen& seen);
// The condition Imported; nullopt: none is asked for.
std::optional<Verdict> import_verdict(const LinkSeen& seen);
std::optional<LinkEvent> event_of_import(const api::LinkStatus& before, const api::LinkStatus& after);

}  // namespace twinspan::controllers
