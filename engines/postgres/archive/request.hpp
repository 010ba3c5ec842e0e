// How PostgreSQL's archive_command asks the agent: over a Unix socket, a path in a line, an answer in a line. What the
// command does, and what it makes of an answer.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace twinspan::postgres {

enum class StoreAnswer {
  kStored,  // PostgreSQL may forget the file
  kEnding,  // PostgreSQL is being stopped, and must not wait for its archiver: the file stays for the next life
};
std::string_view to_string(StoreAnswer answer);

// Blocks until the agent has answered, however often it starts anew meanwhile: an archive_command that fails is tried
// three times and then left for a minute.
StoreAnswer ask_to_store(const std::string& socket_path, const std::string& file);

// Ends PostgreSQL's archiver, which a code up to 128 would make try again and again while the database stops.
inline constexpr int kExitEnding = 130;
// A restore_command that can't tell: PostgreSQL takes every code up to 125 as "there is no such file", ends recovery
// early and promotes.
inline constexpr int kExitUnsure = 126;
// What restore_command has to answer where `pgbackrest archive-get` ended so: 0 and 1 (surely absent) alone are taken
// at their word. nullopt: a signal.
constexpr int restore_exit_code(std::optional<int> archive_get) {
  return archive_get && (*archive_get == 0 || *archive_get == 1) ? *archive_get : kExitUnsure;
}

}  // namespace twinspan::postgres
