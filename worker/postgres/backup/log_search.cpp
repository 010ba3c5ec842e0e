#include "worker/postgres/backup/log_search.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>

#include "engines/postgres/command.hpp"
#include "engines/postgres/files.hpp"

namespace twinspan::worker {
namespace {

// 16 MiB each: so many lie on the disk at a time, and 64 GiB are looked through at most.
constexpr size_t kTogether = 8, kMost = 4096;

class Folder {
 public:
  explicit Folder(std::string path) : path_(std::move(path)) {}
  ~Folder() { (void)postgres::remove_tree(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  Status make() const {
    if (auto removed = postgres::remove_tree(path_); !removed) return removed;
    if (mkdir(path_.c_str(), 0700) != 0)
      return fail(Code::kInternal, fmt::format("{}: {}", path_, std::strerror(errno)));
    return {};
  }

 private:
  const std::string path_;
};

// archive-get wants to know by pg_control whose log it fetches, before there are data: an empty database's, with the
// other's system identifier, which is its first field (PostgreSQL: catalog/pg_control.h). Nothing is ever started on
// it.
Result<std::string> stand_in(const LogSearch& search, const std::string& folder, const std::stop_token& stop) {
  const std::string pgdata = folder + "/stand-in";
  const postgres::Command initdb{search.place.program("initdb"),
                                 {"--pgdata", pgdata, "--username", postgres::kSuperuser, "--no-sync", "--locale", "C",
                                  "--auth", "reject", "--no-instructions"},
                                 {},
                                 std::chrono::minutes(5),
                                 {}};
  if (auto made = postgres::run_checked(search.children, initdb, stop); !made) return std::unexpected(made.error());
  uint64_t system = 0;
  std::from_chars(search.system_id.data(), search.system_id.data() + search.system_id.size(), system);
  std::fstream control(pgdata + "/global/pg_control", std::ios::in | std::ios::out | std::ios::binary);
  control.write(reinterpret_cast<const char*>(&system), sizeof system);
  control.close();
  if (system == 0 || !control) return fail(Code::kInternal, "pg_control could not be written");
  return pgdata;
}

// False: it is not stored.
Result<bool> fetch(const LogSearch& search, const std::string& pgdata, const std::string& segment,
                   const std::string& to, const std::stop_token& stop) {
  constexpr int kAbsent = 1;
  const auto got = search.program.run({"--pg1-path=" + pgdata, "archive-get", segment, to}, {}, stop);
  if (!got) return std::unexpected(got.error());
  if (WIFEXITED(got->exit.status) && WEXITSTATUS(got->exit.status) == kAbsent) return false;
  if (!got->exit.clean()) return std::unexpected(failure_of(*got, "archive-get"));
  return true;
}

// Where the log ends in the last of them, and where none of its records begins there, it fails: what it has printed
// until then counts.
Status read(const LogSearch& search, const std::string& folder, const std::string& first, const std::string& last,
            const backup::Goal& goal, backup::LogLook& look, const std::stop_token& stop) {
  const std::string printed = folder + "/printed";
  const int out = open(printed.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (out < 0) return fail(Code::kInternal, fmt::format("{}: {}", printed, std::strerror(errno)));
  postgres::Command command{search.place.program("pg_waldump"),
                            {"--path", folder, "--rmgr=Transaction", "--rmgr=XLOG", first, last},
                            {{"TZ", "UTC"}},
                            std::chrono::minutes(5),
                            {}};
  command.out = out;
  if (const auto done = postgres::run(search.children, command, stop); !done) return std::unexpected(done.error());
  std::ifstream lines(printed);
  for (std::string line; std::getline(lines, line);) backup::read_line(line, goal, look);
  return {};
}

}  // namespace

Result<backup::LogLook> search_log(const LogSearch& search, backup::Walk walk, const backup::Goal& goal,
                                   const std::stop_token& stop) {
  const Folder folder(search.place.data_dir + "/searched");
  if (auto made = folder.make(); !made) return std::unexpected(made.error());
  const auto pgdata = stand_in(search, folder.path(), stop);
  if (!pgdata) return std::unexpected(pgdata.error());
  backup::LogLook look;
  const bool every = goal.kind == backup::Goal::Kind::kRestorePoint;
  std::string kept;  // the oldest so far: a record of the next ones may end in it
  bool gap = false;
  for (size_t looked = 0; !gap && !walk.ended() && looked < kMost && (every || look.ends.empty());) {
    std::string first, last = kept;
    std::vector<std::string> fetched;
    for (size_t i = 0; i < kTogether && !walk.ended(); ++i, ++looked) {
      const auto segment = walk.next();
      // pg_waldump goes from one file to the next by their names: all are of one timeline here.
      const std::string name = walk.name_here(*segment);
      const auto there = fetch(search, *pgdata, *segment, folder.path() + "/" + name, stop);
      if (!there) return std::unexpected(there.error());
      if (gap = !*there; gap) break;
      if (last.empty()) last = name;
      if (look.to.empty()) look.to = *segment;
      look.from = *segment;
      first = name;
      fetched.push_back(name);
    }
    if (first.empty()) break;
    if (auto done = read(search, folder.path(), first, last, goal, look, stop); !done)
      return std::unexpected(done.error());
    if (!kept.empty()) unlink((folder.path() + "/" + kept).c_str());
    for (const std::string& name : fetched)
      if (name != first) unlink((folder.path() + "/" + name).c_str());
    kept = first;
  }
  return look;
}

}  // namespace twinspan::worker
