// postgresql.auto.conf, where ALTER SYSTEM writes. PostgreSQL reads it after its configuration file, so whatever stands
// there wins over what the agent wrote, at the next reload.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/log_line.hpp"

namespace twinspan::postgres {

struct AutoSetting {
  std::string name;  // in lower case
  std::string value;
  bool operator==(const AutoSetting&) const = default;
};
// Its value for logs and statuses, without secrets.
std::string shown_value(const AutoSetting& setting);
// What the text sets. Pure.
std::vector<AutoSetting> parse_auto_conf(const std::string& text);
// The text without the lines that set what may not stay. Pure.
std::string without_settings(const std::string& text, const std::function<bool(const AutoSetting&)>& may_stay);

// Makes ALTER SYSTEM fail at once, with an error for whoever tries: a commit could otherwise be acknowledged without
// its replica before anybody takes the setting back. PostgreSQL 15 has no switch for it; a directory stands where it
// wants to write its new file. Copies of the data leave that name out, and PostgreSQL itself never looks at it.
Status bar_alter_system(const Layout& layout);

// Takes out of the file what may not stay (from before it was barred, or written by hand), and says what that was.
Result<std::vector<AutoSetting>> clean_auto_conf(const Layout& layout,
                                                 const std::function<bool(const AutoSetting&)>& may_stay);

// Who tried all the same, by PostgreSQL's log. One thread.
class AlterAttempts {
 public:
  // What was to be set, once its line has come; RESET: the value is empty.
  std::optional<AutoSetting> note(const LogLine& line);

 private:
  bool barred_ = false;
};

}  // namespace twinspan::postgres
