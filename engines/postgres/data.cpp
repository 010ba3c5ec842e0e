#include "engines/postgres/data.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engines/postgres/command.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/rewind.hpp"
#include "engines/postgres/wal_end.hpp"

namespace twinspan::postgres {
namespace {

// The newest timeline that has log here: a crash may have come before its first checkpoint.
uint32_t newest_timeline(const Layout& layout, uint32_t at_least) {
  uint32_t newest = at_least;
  DIR* directory = opendir((layout.pgdata() + "/pg_wal").c_str());
  if (directory == nullptr) return newest;
  while (const dirent* entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name.size() != 24 || name.find_first_not_of("0123456789ABCDEF") != std::string_view::npos) continue;
    newest = std::max(newest, static_cast<uint32_t>(std::strtoul(std::string(name.substr(0, 8)).c_str(), nullptr, 16)));
  }
  closedir(directory);
  return newest;
}

}  // namespace

Shape shape_of(const Layout& layout) {
  if (!exists(layout.pgdata() + "/PG_VERSION")) return Shape::kNone;
  if (exists(rewind_marker(layout))) return Shape::kHalfDone;
  return exists(layout.pgdata() + "/standby.signal") ? Shape::kReplica : Shape::kPrimary;
}

Result<ControlData> read_control_data(Children& children, const Layout& layout, const std::stop_token& stop) {
  const Command command{layout.program("pg_controldata"), {"-D", layout.pgdata()}, {}, std::chrono::seconds(10), {}};
  const auto done = run_checked(children, command, stop);
  if (!done) return std::unexpected(done.error());
  return parse_control_data(done->out);
}

Result<Ancestry> read_ancestry(Children& children, const Layout& layout, const std::stop_token& stop) {
  const auto control = read_control_data(children, layout, stop);
  if (!control) return std::unexpected(control.error());
  Ancestry own;
  own.system_id = control->system_id;
  own.timeline = newest_timeline(layout, control->timeline);
  own.in_recovery = control->was_in_recovery();
  const auto read_history = [&](uint32_t timeline) -> Status {
    own.history.clear();
    if (timeline <= 1) return {};
    const auto text = read_file(layout.pgdata() + "/pg_wal/" + history_file_name(timeline));
    if (!text) return std::unexpected(text.error());
    auto history = parse_history(*text);
    if (!history) return std::unexpected(history.error());
    own.history = std::move(*history);
    return {};
  };
  if (auto read = read_history(own.timeline); !read) {
    // Log of a timeline without its history was left by somebody else's: what counts is the checkpoint's.
    own.timeline = control->timeline;
    if (auto again = read_history(own.timeline); !again && again.error().code != Code::kNotFound)
      return std::unexpected(again.error());
  }
  if (control->cleanly_shut_down() && own.timeline == control->timeline) {
    own.end = end_of_clean_log(*control);
    return own;
  }
  Position from = control->redo;
  if (!own.history.empty()) from = std::max(from, own.history.back().end);
  const auto end = end_of_wal(layout.pgdata() + "/pg_wal", own.timeline, from, control->segment_bytes, stop);
  if (!end) return std::unexpected(end.error());
  own.end = *end;
  return own;
}

Status initialize(Children& children, const Layout& layout, const ClusterLocale& locale,
                  const std::function<Status(const std::string& pgdata)>& complete, const std::stop_token& stop) {
  if (exists(layout.pgdata())) return fail(Code::kAlreadyExists, fmt::format("{} exists", layout.pgdata()));
  if (auto removed = remove_tree(layout.unfinished()); !removed) return removed;
  Command command{
      layout.program("initdb"),
      {"--pgdata", layout.unfinished(), "--username", kSuperuser, "--data-checksums", "--encoding", locale.encoding,
       "--locale", locale.locale, "--auth-local", "peer", "--auth-host", "reject", "--no-instructions"},
      {},
      std::chrono::minutes(5),
      {}};
  if (locale.icu_locale)
    command.arguments.insert(command.arguments.end(), {"--locale-provider", "icu", "--icu-locale", *locale.icu_locale});
  if (auto done = run_checked(children, command, stop); !done) return std::unexpected(done.error());
  if (complete)
    if (auto completed = complete(layout.unfinished()); !completed) return completed;
  if (rename(layout.unfinished().c_str(), layout.pgdata().c_str()) != 0)
    return fail(Code::kInternal, fmt::format("rename to {}: {}", layout.pgdata(), std::strerror(errno)));
  return sync_directory(layout.data_dir);
}

Status set_standby(const Layout& layout, bool standby) {
  const std::string path = layout.pgdata() + "/standby.signal";
  if (standby) {
    if (exists(path)) return {};
    if (auto wrote = replace_file(path, "", 0600); !wrote) return std::unexpected(wrote.error());
    if (!exists(path)) return fail(Code::kInternal, fmt::format("{} could not be made", path));
  } else {
    if (unlink(path.c_str()) != 0 && errno != ENOENT)
      return fail(Code::kInternal, fmt::format("remove {}: {}", path, std::strerror(errno)));
  }
  return sync_directory(layout.pgdata());
}

}  // namespace twinspan::postgres
