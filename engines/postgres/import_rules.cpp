#include "engines/postgres/import_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "core/text.hpp"

namespace twinspan::postgres {
namespace {

constexpr size_t kWordsMax = 600;

// "3079 16385 EXTENSION - citext " of "2; 3079 16385 EXTENSION - citext ": the third word and all behind it.
std::string_view entry_of(std::string_view line) {
  size_t at = line.find("; ");
  for (int word = 0; word < 2 && at != std::string_view::npos; ++word) at = line.find(' ', at + (word == 0 ? 2 : 1));
  return at == std::string_view::npos ? std::string_view() : line.substr(at + 1);
}

bool passes_by_itself(std::string_view words) {
  constexpr std::array kSigns{"Connection refused",
                              "Connection timed out",
                              "Connection reset",
                              "No route to host",
                              "Network is unreachable",
                              "timeout expired",
                              "did not answer in time",
                              "server closed the connection",
                              "connection to server was lost",
                              "could not receive data",
                              "could not send data",
                              "SSL SYSCALL",
                              "SSL connection has been closed",
                              "starting up",
                              "shutting down",
                              "terminating connection",
                              "in recovery mode",
                              "too many clients",
                              "remaining connection slots",
                              "Temporary failure in name resolution",
                              "canceling statement",
                              "lock timeout",
                              "deadlock detected",
                              "could not read from input file",
                              "is being accessed by other users",
                              "invalid snapshot identifier",
                              "not connected",
                              "signal 9",
                              "signal 15"};
  return std::any_of(kSigns.begin(), kSigns.end(), [&](const char* sign) { return words.find(sign) != words.npos; });
}

struct Advice {
  const char *sign, *what;
};
// The first that fits.
constexpr std::array kAdvice{
    Advice{"password authentication failed",
           "username and passwordSecretRef: put the right password into the Secret, or let this user in there"},
    Advice{"no password supplied", "passwordSecretRef: put the password into the Secret"},
    Advice{"pg_hba.conf", "the server's pg_hba.conf has to let this user in from the addresses of the link's pods"},
    Advice{"certificate verify failed",
           "caSecretRef: its ca.crt has to be of the authority that signed the server's certificate"},
    Advice{"root certificate", "caSecretRef: expected certificates in PEM as ca.crt of the Secret"},
    Advice{"server certificate for",
           "host has to be a name that the server's certificate carries; VerifyCa as sslMode does not look at names"},
    Advice{"does not support SSL", "sslMode: the server speaks no TLS; let it, or make a new link with Disable"},
    Advice{"could not translate host name", "host: there is no such name; make it known to the cluster's DNS"},
    Advice{"row-level security",
           "username: rows are hidden from this user; give it BYPASSRLS there, or name the tables' owner"},
    Advice{"is not available", "this image has PostgreSQL's own extensions only; drop it at the source"},
    Advice{"extension control file", "this image has PostgreSQL's own extensions only; drop it at the source"},
    Advice{"No space left", "enlarge storage.size of the endpoints"},
    Advice{"FATAL: database", "database: there is no such one at the source"},
    Advice{"FATAL: role", "username: there is no such one at the source"},
    Advice{"pg_dump", "grant the user at the source what it needs to read all of the database (pg_read_all_data)"},
    Advice{"pg_restore", "the definition can't be made here as the database's owner; change or drop it at the source"},
};

}  // namespace

ImportStep next_step(const ImportFound& found) {
  switch (found.mark) {
    case ImportMark::kCompleted: return ImportStep::kNothing;
    case ImportMark::kBegun:
      if (!found.shut) return ImportStep::kRefuse;
      return found.goes_on ? ImportStep::kFollow : ImportStep::kAnew;
    case ImportMark::kNone: break;
  }
  if (found.told_completed) return ImportStep::kNothing;
  return found.holds.empty() ? ImportStep::kBegin : ImportStep::kRefuse;
}

ContentsPlan plan_contents(std::string_view listing) {
  ContentsPlan plan;
  for (const std::string_view line : split_lines(listing)) {
    if (line.empty() || line.front() == ';') continue;
    const std::string_view entry = entry_of(line);
    if (entry.starts_with("EXTENSION - ") || entry.starts_with("COMMENT - EXTENSION ")) continue;
    if (entry.starts_with("EVENT TRIGGER - ")) {
      const std::string_view name = entry.substr(16);
      plan.left_out.push_back("event trigger " + std::string(name.substr(0, name.find(' '))));
      continue;
    }
    if (entry.starts_with("COMMENT - EVENT TRIGGER ")) continue;
    std::string& list = entry.starts_with("SCHEMA - ") ? plan.schemas : plan.rest;
    list += std::string(line) + "\n";
  }
  return plan;
}

std::string left_out_words(const std::vector<std::string>& left_out) {
  std::string words;
  for (const std::string& one : left_out) words += (words.empty() ? "left out: " : ", ") + one;
  return words;
}

std::vector<std::vector<std::string>> share_out(std::vector<SourceTable> tables, size_t jobs) {
  const size_t shares = std::max<size_t>(1, std::min(jobs, tables.size()));
  std::vector<std::vector<std::string>> out(shares);
  std::vector<int64_t> loads(shares, 0);
  std::stable_sort(tables.begin(), tables.end(), [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  for (SourceTable& table : tables) {
    const auto least = static_cast<size_t>(std::min_element(loads.begin(), loads.end()) - loads.begin());
    loads[least] += table.bytes + 1;
    out[least].push_back(std::move(table.name));
  }
  return out;
}

bool begins_table(std::string_view line) { return line.find("processing data for table \"") != std::string_view::npos; }

std::string failure_words(std::string_view last) {
  const size_t at = last.find("error: ");
  if (at != std::string_view::npos) {
    const size_t start = last.rfind("; ", at);
    last.remove_prefix(start == std::string_view::npos ? 0 : start + 2);
  }
  return one_line(last, kWordsMax);
}

Error explained(const Error& error) {
  if (error.code == Code::kCancelled) return error;
  const std::string words = failure_words(error.message);
  if (passes_by_itself(words)) return {Code::kUnavailable, words, true};
  for (const Advice& advice : kAdvice)
    if (words.find(advice.sign) != std::string::npos)
      return {Code::kInvalid, fmt::format("{}; {}", words, advice.what), false};
  return {Code::kInvalid, words, false};
}

std::string pass_file_text(std::string_view password) {
  std::string text = "*:*:*:*:";
  for (const char c : password) {
    if (c == ':' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\n";
}

}  // namespace twinspan::postgres
