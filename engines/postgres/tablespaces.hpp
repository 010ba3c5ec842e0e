// Tablespaces: data that lies outside PGDATA. Each member keeps them on its own volume, below <data-dir>/tablespaces
// where a clone put them, or wherever below <data-dir> a person made them. What lies outside the volume goes with the
// pod.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "engines/postgres/conninfo.hpp"
#include "engines/postgres/layout.hpp"

namespace twinspan::postgres {

using Tablespaces = std::map<uint32_t, std::string>;  // location by oid

// Those of another member, as it has them.
Result<Tablespaces> ask_tablespaces(const Layout& layout, const Upstream& upstream, const std::string& endpoint,
                                    std::chrono::milliseconds timeout, const std::stop_token& stop = {});
// Those of the data here, by its links.
Tablespaces linked_tablespaces(const std::string& pgdata);
inline Tablespaces linked_tablespaces(const Layout& layout) { return linked_tablespaces(layout.pgdata()); }
// Where all data on the volume have theirs, those that lie beside PGDATA included (restoring/, before/NAME/), but for
// one directory of data.
std::vector<std::string> tablespaces_but_of(const std::string& pgdata, const std::string& data_dir);
// One of them is `path`, or lies within.
bool is_used(const std::string& path, const std::vector<std::string>& locations);
// By their names alone.
bool lies_within(const std::string& path, const std::string& directory);

// A replica ends when it replays the making of a tablespace whose directory doesn't exist. Makes the directories of
// those that are missing here, and answers the locations that lie outside the volume, which no directory would help.
Result<std::vector<std::string>> make_missing_locations(const Layout& layout, const Tablespaces& upstream);

// Where a clone puts each of `source`: a directory that nothing uses, so that the old data stays whole until then.
Tablespaces places_for_clone(const Layout& layout, const Tablespaces& source);
// --tablespace-mapping's value.
std::string mapping(const std::string& from, const std::string& to);
// Removes what `before` had on the volume and no data there have any more.
Status remove_unused(const Layout& layout, const Tablespaces& before);

}  // namespace twinspan::postgres
