// The data directory of an instance that does not run: what it is, and making one.
#pragma once
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "core/result.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/control_data.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/timeline.hpp"

namespace twinspan::postgres {

enum class Shape {
  kNone,      // no complete data directory
  kReplica,   // has standby.signal
  kPrimary,   // would start read-write
  kHalfDone,  // a rewind was cut short: it must be done again, or replaced; it must never be started
};
Shape shape_of(const Layout& layout);

Result<ControlData> read_control_data(Children& children, const Layout& layout, const std::stop_token& stop = {});

// History of the own timeline and the end of the log that lies here, for comparing with a primary. The log of a crashed
// instance is read record by record from its last checkpoint (wal_end.hpp): up to seconds for gigabytes.
Result<Ancestry> read_ancestry(Children& children, const Layout& layout, const std::stop_token& stop = {});

struct ClusterLocale {
  std::string encoding = "UTF8", locale = "C.UTF-8";
  std::optional<std::string> icu_locale;  // nullopt: the C library sorts, by `locale`
};
// initdb with checksums into a directory beside, which `complete` may add to, then renamed.
Status initialize(Children& children, const Layout& layout, const ClusterLocale& locale = {},
                  const std::function<Status(const std::string& pgdata)>& complete = nullptr,
                  const std::stop_token& stop = {});

// Recovery that never ends by itself (standby.signal), or none.
Status set_standby(const Layout& layout, bool standby);

}  // namespace twinspan::postgres
