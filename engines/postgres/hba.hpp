// Who may log in from where: pg_hba.conf, with people's lines between Twinspan's own.
#pragma once
#include <chrono>
#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/sql.hpp"

namespace twinspan::postgres {

// Twinspan's lines stand first, so that none of people's shuts out the agent or a replica, or lets anybody else in as
// their roles. Behind people's: by TLS and with a password everybody gets in. Without `accept_clients` nobody does,
// whatever people's lines say. Pure.
std::string render_hba(bool accept_clients, const std::vector<std::string>& lines);

struct HbaFault {
  std::optional<size_t> line;  // of people's; nullopt: of none
  std::string words;           // PostgreSQL's
  bool operator==(const HbaFault&) const = default;
};

// What PostgreSQL says of these lines, empty: nothing. It reads the file that it would load (pg_hba_file_rules), so the
// lines stand there while it is asked; what stood there before is put back, whatever it answers. An error: nothing is
// known. Whoever calls it reloads nothing and starts nothing meanwhile.
Result<std::vector<HbaFault>> judge_hba(Session& session, const Layout& layout, const std::vector<std::string>& lines,
                                        std::chrono::milliseconds timeout, const std::stop_token& stop = {});

// Which rules stand in a file that was rendered from `lines`, by pg_hba_file_rules: number and error of each. Pure.
std::vector<HbaFault> hba_faults(const Rows& rules, const std::vector<std::string>& lines);

}  // namespace twinspan::postgres
