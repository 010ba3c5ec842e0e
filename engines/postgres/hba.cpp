#include "engines/postgres/hba.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "engines/postgres/files.hpp"

namespace twinspan::postgres {
namespace {

// Of some faults (clientcert=maybe) PostgreSQL 15 says nothing here; their lines have no type then.
constexpr const char* kRules =
    "SELECT line_number, coalesce(error, CASE WHEN type IS NULL THEN 'PostgreSQL refuses it and says no more: look at "
    "its options' END) FROM pg_hba_file_rules ORDER BY line_number";

// "all" as a database is none of replication's: it is named apart.
std::string own_lines() {
  return fmt::format(
      "# Written by twinspan-worker from the link's spec; changes made here are overwritten.\n"
      "local   all              {0},{2}  peer map=twinspan\n"
      "hostssl replication      {1}  all  cert clientcert=verify-full\n"
      "hostssl postgres         {1}  all  cert clientcert=verify-full\n"
      "host    all,replication  {1},{0},{2}  all  reject\n",
      kSuperuser, kReplicationRole, kMetricsRole);
}

size_t lines_in(const std::string& text) { return static_cast<size_t>(std::count(text.begin(), text.end(), '\n')); }

}  // namespace

std::string render_hba(bool accept_clients, const std::vector<std::string>& lines) {
  std::string text = own_lines();
  if (accept_clients)
    for (const std::string& line : lines) text += line + "\n";
  return text + fmt::format("hostssl all              all  all  {}\n", accept_clients ? "scram-sha-256" : "reject");
}

std::vector<HbaFault> hba_faults(const Rows& rules, const std::vector<std::string>& lines) {
  const size_t first = lines_in(own_lines()) + 1;  // as PostgreSQL counts
  const size_t end = first + lines.size();
  std::map<std::string, std::optional<std::string>> by_number;
  for (const Row& rule : rules)
    if (rule.size() == 2 && rule[0]) by_number[*rule[0]] = rule[1];
  std::vector<HbaFault> faults;
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto found = by_number.find(std::to_string(first + i));
    if (found == by_number.end())
      faults.push_back({i, "PostgreSQL does not take it for a rule of its own"});
    else if (found->second)
      faults.push_back({i, *found->second});
    if (found != by_number.end()) by_number.erase(found);
  }
  const bool last_is_ours = by_number.contains(std::to_string(end));
  for (const auto& [number, error] : by_number)
    if (error) faults.push_back({std::nullopt, fmt::format("line {}: {}", number, *error)});
  // More lines than rules were given, or one that swallows the next. Before people's there is a comment, behind
  // them one more rule.
  const size_t ours = lines_in(own_lines());
  if (faults.empty() && (!last_is_ours || rules.size() != ours + lines.size()))
    faults.push_back({std::nullopt, "not every line is one rule"});
  return faults;
}

Result<std::vector<HbaFault>> judge_hba(Session& session, const Layout& layout, const std::vector<std::string>& lines,
                                        std::chrono::milliseconds timeout, const std::stop_token& stop) {
  const auto before = read_file(layout.hba_file());
  if (!before) return std::unexpected(before.error());
  if (auto wrote = replace_file(layout.hba_file(), render_hba(true, lines), 0600); !wrote)
    return std::unexpected(wrote.error());
  const auto rules = session.query(kRules, {}, timeout, stop);
  if (auto restored = replace_file(layout.hba_file(), *before, 0600); !restored)
    return std::unexpected(restored.error());
  if (!rules) return std::unexpected(rules.error());
  return hba_faults(*rules, lines);
}

}  // namespace twinspan::postgres
