#include "backup/pgbackrest.hpp"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "core/json.hpp"
#include "core/text.hpp"

namespace twinspan::backup {
namespace {

constexpr size_t kWordsMax = 600;

// pgBackRest writes what it could not decipher into its messages as it is, control characters and broken UTF-8. All
// else is ASCII.
Json parse_raw(std::string_view text) {
  std::string ascii(text);
  for (char& c : ascii)
    if (static_cast<unsigned char>(c) >= 0x7F)
      c = '?';
    else if (static_cast<unsigned char>(c) < ' ')
      c = ' ';
  return Json::parse(ascii, nullptr, false);
}

// Reads the fields of one object; the first that is missing or of another type is remembered.
class Fields {
 public:
  Fields(const Json& object, std::string what) : object_(object), what_(std::move(what)) {}

  const Json& at(std::initializer_list<std::string_view> path) {
    const Json* value = &object_;
    for (const std::string_view key : path) value = &member_of(*value, key);
    return *value;
  }
  std::string text(std::initializer_list<std::string_view> path) {
    const Json& value = at(path);
    if (!value.is_string()) return lacks(path, "a text"), "";
    return value.get<std::string>();
  }
  int64_t number(std::initializer_list<std::string_view> path) {
    const Json& value = at(path);
    if (!value.is_number_integer() || value.get<int64_t>() < 0) return lacks(path, "a number"), 0;
    return value.get<int64_t>();
  }
  Position position(std::initializer_list<std::string_view> path) {
    const auto value = parse_position(text(path));
    if (!value) lacks(path, "a position such as 0/5000028");
    return value.value_or(Position{});
  }
  Timeline timeline(std::initializer_list<std::string_view> path) {  // of a segment's name
    const std::string name = text(path);
    Timeline value = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + std::min<size_t>(name.size(), 8), value, 16);
    if (name.size() != 24 || error != std::errc() || end != name.data() + 8 || value == 0)
      lacks(path, "a segment's name");
    return value;
  }
  void lacks(std::initializer_list<std::string_view> path, std::string_view expected) {
    if (wrong_.empty()) wrong_ = fmt::format("{}: {} is not {}", what_, fmt::join(path, "."), expected);
  }
  const std::string& wrong() const { return wrong_; }

 private:
  const Json& object_;
  std::string what_, wrong_;
};

std::optional<Kind> kind_of(std::string_view type) {
  if (type == "full") return Kind::kFull;
  if (type == "diff") return Kind::kDifferential;
  if (type == "incr") return Kind::kIncremental;
  return std::nullopt;
}

std::string system_of(const Json& databases, int64_t id) {
  for (const Json& database : databases)
    if (integer_of(database, "id") == id && member_of(database, "system-id").is_number_unsigned())
      return std::to_string(member_of(database, "system-id").get<uint64_t>());
  return "";
}

Result<BackupSet> backup_of(const Json& json, const Json& databases) {
  Fields fields(json, "backup " + text_of(json, "label"));
  BackupSet backup;
  backup.label = fields.text({"label"});
  const auto kind = kind_of(fields.text({"type"}));
  if (!kind) fields.lacks({"type"}, "full, diff or incr");
  backup.kind = kind.value_or(Kind::kFull);
  backup.timeline = fields.timeline({"archive", "stop"});
  if (fields.timeline({"archive", "start"}) != backup.timeline)
    fields.lacks({"archive", "start"}, "of the timeline that it ends on");
  backup.start = fields.position({"lsn", "start"});
  backup.stop = fields.position({"lsn", "stop"});
  if (backup.stop < backup.start) fields.lacks({"lsn", "stop"}, "at or after its start");
  backup.started_at = WallTime(std::chrono::seconds(fields.number({"timestamp", "start"})));
  backup.stopped_at = WallTime(std::chrono::seconds(fields.number({"timestamp", "stop"})));
  backup.size_bytes = fields.number({"info", "size"});
  backup.read_bytes = fields.number({"info", "delta"});
  backup.stored_bytes = fields.number({"info", "repository", "delta"});
  if (const Json& error = fields.at({"error"}); error.is_boolean()) backup.corrupt = error.get<bool>();
  const Json& needs = fields.at({"reference"});  // null for a full
  if (needs.is_array())
    for (const Json& label : needs)
      if (label.is_string()) backup.needs.push_back(label.get<std::string>());
  if (backup.needs.empty() != (backup.kind == Kind::kFull) || (needs.is_array() && needs.size() != backup.needs.size()))
    fields.lacks({"reference"}, "the list of what it needs");
  // Also where no file of it is read any more: expire takes along whatever was made upon what it takes
  // (infoBackupDataDependentList).
  if (backup.kind != Kind::kFull)
    if (const std::string prior = fields.text({"prior"});
        std::find(backup.needs.begin(), backup.needs.end(), prior) == backup.needs.end())
      backup.needs.push_back(prior);
  backup.system_id = system_of(databases, fields.number({"database", "id"}));
  backup.made_for = text_of(member_of(json, "annotation"), kMadeFor);
  if (backup.system_id.empty()) fields.lacks({"database", "id"}, "one of db, with its system-id");
  if (!fields.wrong().empty()) return fail(Code::kInvalid, "pgbackrest info: " + fields.wrong());
  return backup;
}

// What is behind an encrypted file's first bytes is noise under any key but its own.
bool looks_like_another_key(std::string_view cipher, std::string_view message) {
  if (message.find("CryptoError") != std::string_view::npos || message.find("Salted__") != std::string_view::npos)
    return true;
  return cipher != "none" && message.find("key/value found outside of section") != std::string_view::npos;
}

// The codes of a repository's status in info: 0 ok, 1 no path, 2 no valid backups, 3 no data; whatever else: nothing is
// known.
Status readable(const Json& repository) {
  const Json& status = member_of(repository, "status");
  const Json& code = member_of(status, "code");
  if (!code.is_number_integer()) return fail(Code::kInvalid, "pgbackrest info: repo.status.code is not a number");
  if (code.get<int64_t>() >= 0 && code.get<int64_t>() <= 3) return {};
  const std::string message = text_of(status, "message");
  const bool other_key = looks_like_another_key(text_of(repository, "cipher"), message);
  return fail(Code::kUnavailable,
              fmt::format("the repository can't be read{}: {}",
                          other_key ? ", probably its passphrase is another one" : "", one_line(message, kWordsMax)));
}

// Names sort by timeline, then by position.
Status read_segments(const Json& archives, StanzaInfo& info) {
  if (!archives.is_array()) return fail(Code::kInvalid, "pgbackrest info: archive is not a list");
  for (const Json& archive : archives)
    for (const char* key : {"min", "max"}) {
      const Json& one = member_of(archive, key);
      if (!archive.contains(key) || (!one.is_null() && !one.is_string()))
        return fail(Code::kInvalid, fmt::format("pgbackrest info: archive.{} is not a segment's name", key));
      if (!one.is_string()) continue;
      const std::string name = one.get<std::string>();
      if (info.oldest_segment.empty() || name < info.oldest_segment) info.oldest_segment = name;
      if (name > info.newest_segment) info.newest_segment = name;
    }
  return {};
}

Result<StanzaInfo> stanza_of(const Json& json) {
  const Json &repositories = member_of(json, "repo"), &backups = member_of(json, "backup"),
             &databases = member_of(json, "db");
  const Json& held = member_of(member_of(member_of(member_of(json, "status"), "lock"), "backup"), "held");
  if (!repositories.is_array() || repositories.size() != 1)
    return fail(Code::kInvalid, "pgbackrest info: repo is not a list of one");
  if (auto read = readable(repositories[0]); !read) return std::unexpected(read.error());
  if (!backups.is_array() || !databases.is_array())
    return fail(Code::kInvalid, "pgbackrest info: backup and db are not lists");
  if (!held.is_boolean()) return fail(Code::kInvalid, "pgbackrest info: status.lock.backup.held is not true or false");
  StanzaInfo info;
  info.exists = !databases.empty();
  info.backup_running = held.get<bool>();
  if (auto read = read_segments(member_of(json, "archive"), info); !read) return std::unexpected(read.error());
  for (const Json& one : backups) {
    auto backup = backup_of(one, databases);
    if (!backup) return std::unexpected(backup.error());
    info.backups.push_back(std::move(*backup));
  }
  return info;
}

struct Exit {
  int code;
  Code meaning;
  std::string_view words;
};

// Those that backups, WAL and restores meet; error.yaml numbers them.
constexpr Exit kExits[] = {
    {28, Code::kInvalid, "the repository is of another database"},
    {29, Code::kInvalid, "a file or a value has another form"},
    {31, Code::kInvalid, "an option is not valid here"},
    {32, Code::kInvalid, "an option's value is not valid"},
    {37, Code::kInvalid, "an option is missing"},
    {42, Code::kInternal, "a file is damaged or can't be read"},
    {45, Code::kInvalid, "other bytes are stored under this segment's name"},
    {50, Code::kConflict, "another backup or expire holds the lock"},
    {55, Code::kNotFound, "a file is missing"},
    {56, Code::kUnavailable, "no database, or no standby, can be reached"},
    {57, Code::kUnavailable, "the database's connection broke"},
    {58, Code::kUnavailable, "the database is not as it was: promoted just now, or stopped being a standby"},
    {63, Code::kCancelled, "it was told to end"},
    {66, Code::kTimeout, "the other side said nothing for too long"},
    {67, Code::kInvalid, "the database's settings don't allow this"},
    {68, Code::kInvalid, "archive_command is not one for pgBackRest"},
    {75, Code::kUnavailable, "there is no such backup, or the repository can't be read"},
    {82, Code::kTimeout, "WAL did not arrive in the archive in time"},
    {95, Code::kInvalid, "it can't be deciphered: the passphrase is another one, or the data are damaged"},
    {103, Code::kUnavailable, "the repository can't be used"},
    {104, Code::kUnavailable, "the command failed in part"},
    {105, Code::kDenied, "access was refused"},
};

// "ERROR: [050]: unable …" and the HINT lines below it.
std::string first_error(std::string_view output) {
  const size_t at = output.find("ERROR: [");
  if (at == std::string_view::npos) return one_line(output, kWordsMax);
  const size_t words = output.find("]: ", at);
  std::string_view rest = output.substr(words == std::string_view::npos ? at : words + 3);
  for (size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n', end + 1)) {
    const size_t next = rest.find_first_not_of(' ', end + 1);
    const bool goes_on = next != std::string_view::npos && next >= end + 7;  // continued lines are indented
    if (!goes_on) rest = rest.substr(0, end);
  }
  return one_line(rest, kWordsMax);
}

}  // namespace

Result<StanzaInfo> parse_info(std::string_view text, std::string_view stanza) {
  const Json json = parse_raw(text);
  if (!json.is_array())
    return fail(Code::kInvalid, "pgbackrest info: expected a JSON list, got \"" + one_line(text, 100) + "\"");
  for (const Json& one : json)
    if (text_of(one, "name") == stanza) return stanza_of(one);
  return StanzaInfo{};
}

std::vector<std::string> damaged_files(std::string_view text) {
  std::vector<std::string> files;
  const Json json = parse_raw(text);
  if (!json.is_array()) return files;
  for (const Json& stanza : json)
    for (const Json& backup : member_of(stanza, "backup"))
      for (const Json& file : member_of(backup, "error-list"))
        if (file.is_string()) files.push_back(file.get<std::string>());
  return files;
}

std::string damage_words(const std::vector<std::string>& files) {
  std::string where;
  if (!files.empty()) where = " in " + files.front();
  if (files.size() > 1) where += fmt::format(" and {} more", files.size() - 1);
  return fmt::format(
      "pages with wrong checksums{}: they are in the backup as they are in the database, so keep an earlier backup and "
      "mend the database",
      where);
}

Error error_of_exit(int code, std::string_view output) {
  if (code > 128) return fail(Code::kCancelled, fmt::format("pgBackRest was ended by signal {}", code - 128)).error();
  const std::string said = first_error(output);
  for (const Exit& exit : kExits)
    if (exit.code == code)
      return fail(exit.meaning,
                  fmt::format("{} (pgBackRest {:03}){}{}", exit.words, code, said.empty() ? "" : ": ", said))
          .error();
  return fail(Code::kInternal, fmt::format("pgBackRest failed ({:03}){}{}", code, said.empty() ? "" : ": ", said))
      .error();
}

bool waits_for_wal(std::string_view line) { return line.find("check archive for segment") != std::string_view::npos; }

}  // namespace twinspan::backup
