// Steps, history and observers in a FailoverPolicy's status, as the stories of every engine write them. Pure. Times are
// RFC 3339.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "api/types.hpp"
#include "failover/types.hpp"

namespace twinspan::controllers {

// Times are set once and kept.
void keep(std::optional<std::string>& time, bool reached, const std::string& now);

// The step of `epoch` as it was before, or a new one; it begins now where it had another name.
api::FailoverStep step_named(std::string_view name, int64_t epoch, const std::optional<api::FailoverStep>& before,
                             const std::string& now);

// What becomes of a change that is over now: its times, and how long it took. What it lost is the caller's to say.
api::FailoverRecord record_of(const api::FailoverStep& done, const std::string& to, Ending ending,
                              const std::string& message, const std::string& now);

// On top of the history, with what kubectl shows of the last one. `lost`: for people; nullopt: not known.
void remember(api::PolicyStatus& status, api::FailoverRecord record, std::optional<std::string> lost);

void observe(api::PolicyStatus& status, const std::string& name, const std::string& sees, const std::string& now);

}  // namespace twinspan::controllers
