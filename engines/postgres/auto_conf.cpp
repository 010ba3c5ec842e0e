#include "engines/postgres/auto_conf.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <sstream>
#include <utility>

#include "core/text.hpp"
#include "engines/postgres/files.hpp"

namespace twinspan::postgres {
namespace {

std::string file_of(const Layout& layout) { return layout.pgdata() + "/postgresql.auto.conf"; }

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// One line: name, '=' or space, a value that may be quoted; the rest is a comment. nullopt: it sets nothing.
std::optional<AutoSetting> setting_of(std::string_view line) {
  size_t at = 0;
  const auto skip = [&] {
    while (at < line.size() && is_space(line[at])) ++at;
  };
  skip();
  const size_t begin = at;
  while (at < line.size() && !is_space(line[at]) && line[at] != '=' && line[at] != '#') ++at;
  if (at == begin) return std::nullopt;
  AutoSetting setting{to_lower(line.substr(begin, at - begin)), {}};
  skip();
  if (at < line.size() && line[at] == '=') ++at;
  skip();
  if (at < line.size() && line[at] == '\'') {
    for (++at; at < line.size(); ++at) {
      if (line[at] == '\\' && at + 1 < line.size()) {
        ++at;
      } else if (line[at] == '\'') {
        if (at + 1 >= line.size() || line[at + 1] != '\'') break;
        ++at;
      }
      setting.value += line[at];
    }
    return setting;
  }
  while (at < line.size() && !is_space(line[at]) && line[at] != '#') setting.value += line[at++];
  return setting;
}

}  // namespace

std::string shown_value(const AutoSetting& setting) {
  const bool secret = setting.name == "primary_conninfo" || setting.name.find("pass") != std::string::npos ||
                      setting.name.find("command") != std::string::npos;
  return secret ? "(not shown)" : setting.value;
}

std::vector<AutoSetting> parse_auto_conf(const std::string& text) {
  std::vector<AutoSetting> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (auto setting = setting_of(line)) out.push_back(std::move(*setting));
  return out;
}

std::string without_settings(const std::string& text, const std::function<bool(const AutoSetting&)>& may_stay) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (const auto setting = setting_of(line); !setting || may_stay(*setting)) out += line + "\n";
  return out;
}

Status bar_alter_system(const Layout& layout) {
  const std::string path = file_of(layout) + ".tmp";
  struct stat seen {};
  if (lstat(path.c_str(), &seen) == 0) {
    if (S_ISDIR(seen.st_mode)) return {};
    if (unlink(path.c_str()) != 0)
      return fail(Code::kInternal, fmt::format("remove {}: {}", path, std::strerror(errno)));
  }
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(Code::kInternal, fmt::format("create {}: {}", path, std::strerror(errno)));
  return {};
}

Result<std::vector<AutoSetting>> clean_auto_conf(const Layout& layout,
                                                 const std::function<bool(const AutoSetting&)>& may_stay) {
  std::vector<AutoSetting> removed;
  const auto text = read_file(file_of(layout));
  if (!text) {
    if (text.error().code == Code::kNotFound) return removed;
    return std::unexpected(text.error());
  }
  for (AutoSetting& setting : parse_auto_conf(*text))
    if (!may_stay(setting)) removed.push_back(std::move(setting));
  if (removed.empty()) return removed;
  if (auto wrote = replace_file(file_of(layout), without_settings(*text, may_stay), 0600); !wrote)
    return std::unexpected(wrote.error());
  return removed;
}

std::optional<AutoSetting> AlterAttempts::note(const LogLine& line) {
  if (line.message.find("postgresql.auto.conf.tmp") != std::string::npos) {
    barred_ = true;
    return std::nullopt;
  }
  if (!std::exchange(barred_, false) || line.severity != "STATEMENT") return std::nullopt;
  std::istringstream words(line.message);
  std::string word, name, rest;
  while (words >> word && to_lower(word) != "set" && to_lower(word) != "reset") {
  }
  if (!(words >> name)) return std::nullopt;
  if (const size_t equals = name.find('='); equals != std::string::npos) {
    rest = name.substr(equals + 1);
    name.resize(equals);
  }
  std::string tail;
  std::getline(words, tail);
  rest += tail;
  // "TO 'x';" or "= 'x'": the value alone
  const auto strip = [&](std::string_view beginning) {
    while (!rest.empty() && is_space(rest.front())) rest.erase(0, 1);
    if (to_lower(rest).starts_with(beginning)) rest.erase(0, beginning.size());
  };
  strip("to ");
  strip("=");
  strip(" ");
  while (!rest.empty() && (is_space(rest.back()) || rest.back() == ';')) rest.pop_back();
  if (rest.size() >= 2 && rest.front() == '\'' && rest.back() == '\'') rest = rest.substr(1, rest.size() - 2);
  std::erase(name, ';');
  return AutoSetting{to_lower(name), rest};
}

}  // namespace twinspan::postgres
