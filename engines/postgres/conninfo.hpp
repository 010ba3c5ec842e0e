// libpq connection strings.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "engines/postgres/layout.hpp"

namespace twinspan::postgres {

// Keyword and value pairs, values quoted as libpq wants them. Empty values are left out.
std::string conninfo(const std::vector<std::pair<std::string, std::string>>& pairs);

// Another member as this one reaches it: no DNS is asked, but its certificate must carry `host`.
struct Upstream {
  std::string endpoint;
  std::string host;     // pod name
  std::string address;  // pod IP
  int port = 5432;
  bool operator==(const Upstream&) const = default;
};

// The superuser on this instance's own socket.
std::string local_conninfo(const Layout& layout, int port);
// The replication role at another member, by client certificate. `database` empty: as primary_conninfo wants it.
std::string upstream_conninfo(const Layout& layout, const Upstream& upstream, const std::string& application_name,
                              const std::string& database = "");
// The same for the stream itself: the upstream gives the connection up when this side reads nothing for 10 s though its
// machine still answers for it, which PostgreSQL's own time-outs don't notice while a send blocks.
std::string receiver_conninfo(const Layout& layout, const Upstream& upstream, const std::string& endpoint);
// "twinspan_west_2": the slot that `endpoint` streams from (slot names know no dashes).
std::string slot_name(const std::string& endpoint);

}  // namespace twinspan::postgres
