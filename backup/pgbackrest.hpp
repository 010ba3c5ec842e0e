// What pgBackRest says, read: the answer of `pgbackrest --stanza=NAME info --output=json` and its exit codes. Written
// for 2.45 (doc: command reference, "info"; src/command/info/info.c, src/build/error/error.yaml); fields it does not
// know are passed over, fields it needs are demanded.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "backup/types.hpp"
#include "core/result.hpp"

namespace twinspan::backup {

struct StanzaInfo {
  bool exists = false;                         // stanza-create was run in this repository
  bool backup_running = false;                 // on the host that was asked: its lock is held
  std::vector<BackupSet> backups;              // oldest first
  std::string oldest_segment, newest_segment;  // of the log, by name; empty: none is stored
  bool operator==(const StanzaInfo&) const = default;
};

// Of a configuration with one repository. An answer is whole, or it is an error: a repository that can't be read lists
// no backups either. kUnavailable: the repository can't be read, with pgBackRest's words in one line and, where it is
// likely, that the passphrase is another. kInvalid: this is no answer of info, or one that lacks what is needed; the
// field is named.
Result<StanzaInfo> parse_info(std::string_view json, std::string_view stanza);

// The files of a set whose pages have wrong checksums, of the answer to `pgbackrest --set=LABEL info --output=json`;
// whatever can't be read names none.
std::vector<std::string> damaged_files(std::string_view json);
// "pages with wrong checksums in base/5/16384 and 2 more: …"
std::string damage_words(const std::vector<std::string>& files);

// What an exit code of pgBackRest other than 0 means, with the first ERROR and its HINTs of `output` (stderr of
// --log-level-stderr=warn). kConflict: another backup or expire runs; kUnavailable and kTimeout: the repository or
// another member does not answer; kDenied: refused by it; kInvalid: a setting or an answer is wrong, the same call
// fails again; kCancelled: a signal; kInternal: anything else.
Error error_of_exit(int code, std::string_view output);

// Whether this is the line that a backup writes (--log-level-stderr=info) once its data are copied and the log that
// they need is waited for.
bool waits_for_wal(std::string_view line);

}  // namespace twinspan::backup
