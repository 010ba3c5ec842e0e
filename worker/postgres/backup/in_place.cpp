#include "worker/postgres/backup/in_place.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/json.hpp"
#include "core/log.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/tablespaces.hpp"
#include "worker/postgres/backup/restored_mark.hpp"
#include "worker/postgres/memory_file.hpp"

namespace twinspan::worker {
namespace {

Status make_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return fail(Code::kInternal, fmt::format("{}: {}", path, std::strerror(errno)));
  return {};
}

Status move(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0)
    return fail(Code::kInternal, fmt::format("rename {} to {}: {}", from, to, std::strerror(errno)));
  return {};
}

Status write(const std::string& directory, const std::string& name, const Json& json) {
  if (auto wrote = postgres::replace_file(directory + "/" + name, json.dump() + "\n", 0600); !wrote)
    return std::unexpected(wrote.error());
  return postgres::sync_directory(directory);
}

// Null where there is none, or none that can be read.
Json read(const std::string& path) {
  const auto text = postgres::read_file(path);
  return text ? Json::parse(*text, nullptr, false) : Json();
}

}  // namespace

bool InPlace::half_done() const { return postgres::exists(intent()); }

std::optional<PreparedData> InPlace::prepared() const {
  MutexLock lock(mutex_);
  return waiting();
}

void InPlace::while_waiting(const std::string& restore, bool back,
                            const std::function<void(const PreparedData&)>& say) const {
  MutexLock lock(mutex_);
  if (back) {
    if (const auto aside = put_aside(restore); aside && !aside->restored) say({restore, ""});
    return;
  }
  if (const auto data = waiting(); data && data->restore == restore) say(*data);
}

std::optional<PreparedData> InPlace::waiting() const {
  if (half_done() || !postgres::exists(restoring() + "/pgdata/PG_VERSION")) return std::nullopt;
  const Json json = read(restoring() + "/whole.json");
  PreparedData data{text_of(json, "restore"), text_of(json, "reached")};
  return data.restore.empty() ? std::nullopt : std::optional(std::move(data));
}

Status InPlace::mark_prepared(const PreparedData& data) {
  MutexLock lock(mutex_);
  return write(restoring(), "whole.json", {{"restore", data.restore}, {"reached", data.reached}});
}

// What their links point to on this volume, and nobody else's do.
std::vector<std::string> InPlace::tablespaces_of(const std::string& pgdata) const {
  const std::vector<std::string> others = postgres::tablespaces_but_of(pgdata, data_dir_);
  std::vector<std::string> own;
  for (const auto& [oid, location] : postgres::linked_tablespaces(pgdata))
    if (postgres::lies_within(location, data_dir_) && !postgres::is_used(location, others)) own.push_back(location);
  return own;
}

// Hundreds of gigabytes go without the lock: an exchange must not wait for them. Those outside go first, so that
// whoever comes after a removal that was cut short still finds the links.
Status InPlace::remove_put_away() {
  std::vector<std::string> doomed;
  {
    MutexLock lock(mutex_);
    if (half_done()) return {};
    doomed = tablespaces_of(removing() + "/pgdata");
  }
  doomed.push_back(removing());
  for (const std::string& one : doomed)
    if (auto removed = postgres::remove_tree(one); !removed) return removed;
  return {};
}

bool InPlace::has_leftovers() const { return postgres::exists(restoring()) || postgres::exists(removing()); }

Status InPlace::forget_prepared(const std::string& restore) {
  if (auto removed = remove_put_away(); !removed) return removed;
  bool shares = restore.empty();
  {
    MutexLock lock(mutex_);
    if (half_done()) return fail(Code::kConflict, "restored data are taking their place");
    // First the mark: a half of it must not count as whole.
    std::remove((restoring() + "/whole.json").c_str());
    if (postgres::exists(restoring()))
      if (auto moved = move(restoring(), removing()); !moved) return moved;
    // Those of data that took the place of others are in use.
    if (!shares) shares = postgres::is_used(tablespaces(restore), postgres::tablespaces_but_of("", data_dir_));
  }
  if (auto removed = remove_put_away(); !removed) return removed;
  return shares ? Status{} : postgres::remove_tree(tablespaces(restore));
}

std::optional<KeptData> InPlace::kept(const std::string& restore) const {
  MutexLock lock(mutex_);
  return put_aside(restore);
}

std::optional<KeptData> InPlace::put_aside(const std::string& restore) const {
  if (restore.empty() || half_done()) return std::nullopt;
  const Json json = read(place_of(restore) + "/about.json");
  const auto until = parse_rfc3339(text_of(json, "until"));
  if (!until || !postgres::exists(place_of(restore) + "/pgdata/PG_VERSION")) return std::nullopt;
  return KeptData{restore, *until, member_of(json, "restored") == true};
}

std::vector<std::string> InPlace::all_kept() const {
  MutexLock lock(mutex_);
  std::vector<std::string> found;
  std::error_code failed;
  for (const auto& one : std::filesystem::directory_iterator(data_dir_ + "/before", failed))
    if (put_aside(one.path().filename())) found.push_back(one.path().string() + "/pgdata");
  return found;
}

std::vector<std::string> InPlace::remove_kept(WallTime now, const std::string& wanted) {
  std::vector<std::string> gone;
  std::error_code failed;
  for (const auto& one : std::filesystem::directory_iterator(data_dir_ + "/before", failed)) {
    const std::string place = one.path(), name = one.path().filename();
    if (name == wanted) continue;
    const auto put_away = [&]() -> Result<bool> {
      if (auto removed = remove_put_away(); !removed) return std::unexpected(removed.error());
      MutexLock lock(mutex_);
      const auto until = parse_rfc3339(text_of(read(place + "/about.json"), "until"));
      if (half_done() || !until || now < *until) return false;
      if (auto moved = move(place, removing()); !moved) return std::unexpected(moved.error());
      return true;
    };
    const auto put = put_away();
    if (put && !*put) continue;
    if (const Status removed = put ? remove_put_away() : std::unexpected(put.error()); !removed)
      log::warn("data that were put aside stay", {{"error", removed.error().message}});
    else
      gone.push_back(name);
  }
  return gone;
}

Status InPlace::exchange(const Order& order) {
  MutexLock lock(mutex_);
  if (half_done()) return carry_out();
  const std::string place = place_of(order.restore);
  const std::string whole = order.bring_back ? place : restoring();
  if (!postgres::exists(whole + "/pgdata/PG_VERSION"))
    return fail(Code::kNotFound, fmt::format("{} has no data that could take the place of others", whole));
  const Json about = order.bring_back ? read(place + "/about.json") : read(restoring() + "/whole.json");
  if (!order.bring_back && postgres::exists(place + "/pgdata"))
    return fail(Code::kConflict, fmt::format("{} is there already, of an order of that name", place));
  if (text_of(about, "restore") != order.restore)
    return fail(Code::kInvalid, fmt::format("what lies in {} is of Restore \"{}\", {} is expected", whole,
                                            text_of(about, "restore"), order.restore));
  const auto memory = read_memory(data_dir_);
  if (!memory) return std::unexpected(memory.error());
  // What is restored shares nothing with any other copy: nobody who has data from before may count as having it. What
  // is brought back goes on with the log that it is of.
  StoredMemory next = memory->value_or(StoredMemory{});
  next.memory.epochs = {{order.epoch, Position{}}};
  if (order.bring_back) {
    auto kept = read_memory(place);
    if (!kept) return std::unexpected(kept.error());
    if (*kept) next.memory.epochs = (*kept)->memory.epochs;
  }
  next.memory.epoch_seen = std::max(next.memory.epoch_seen, order.epoch);
  next.memory.data_epoch = order.epoch;
  next.memory.part = DataPart::kPrimary;
  if (auto made = make_directory(data_dir_ + "/before"); !made) return made;
  if (auto made = make_directory(place); !made) return made;
  // Of an exchange that is over.
  std::remove((place + "/moved").c_str());
  // All that the steps need, so that they can be gone on with whatever has moved by then.
  const std::string after = place + "/after";
  if (auto made = make_directory(after); !made) return made;
  if (auto wrote = write_memory(after, next); !wrote) return wrote;
  if (*memory && !order.bring_back)
    if (auto wrote = write_memory(place, **memory); !wrote) return wrote;
  if (auto stepped = step(); !stepped) return stepped;
  if (auto wrote = write(data_dir_, "exchange.json",
                         {{"restore", order.restore},
                          {"bringBack", order.bring_back},
                          {"until", to_rfc3339(order.until)},
                          {"reached", text_of(about, "reached")}});
      !wrote)
    return wrote;
  return carry_out();
}

Status InPlace::roll_forward() {
  MutexLock lock(mutex_);
  return half_done() ? carry_out() : Status{};
}

// Every step may have been done before.
Status InPlace::carry_out() {
  const Json order = read(intent());
  const std::string restore = text_of(order, "restore");
  if (restore.empty())
    return fail(Code::kInternal, fmt::format("{} can't be read: move what is whole of {} and {} to {}, then remove it",
                                             intent(), restoring(), data_dir_ + "/before", data_dir_ + "/pgdata"));
  const bool back = member_of(order, "bringBack") == true;
  const std::string pgdata = data_dir_ + "/pgdata", place = place_of(restore), aside = place + "/pgdata";
  const std::string parked = place + "/parked";  // what comes back, while the other takes its place there
  if (back && !postgres::exists(parked) && !postgres::exists(place + "/moved")) {
    if (auto stepped = step(); !stepped) return stepped;
    if (auto moved = move(aside, parked); !moved) return moved;
    if (auto synced = postgres::sync_directory(place); !synced) return synced;
  }
  const std::string source = back ? parked : restoring() + "/pgdata";
  if (postgres::exists(source)) {
    // Where the source is still there, what lies at PGDATA is what makes room for it.
    if (auto stepped = step(); !stepped) return stepped;
    if (postgres::exists(pgdata))
      if (auto moved = move(pgdata, aside); !moved) return moved;
    if (auto stepped = step(); !stepped) return stepped;
    if (auto wrote = write(place, "moved", Json(true)); !wrote) return wrote;
    if (auto stepped = step(); !stepped) return stepped;
    if (auto moved = move(source, pgdata); !moved) return moved;
    for (const std::string& directory : {place, data_dir_})
      if (auto synced = postgres::sync_directory(directory); !synced) return synced;
  }
  if (!postgres::exists(pgdata + "/PG_VERSION"))
    return fail(Code::kInternal, fmt::format("{} is not there, and neither is what was to take its place", pgdata));
  if (auto stepped = step(); !stepped) return stepped;
  const auto memory = read_memory(place + "/after");
  if (!memory || !*memory)
    return fail(Code::kInternal, fmt::format("{}: what is to be remembered can't be read", place + "/after"));
  if (auto wrote = write_memory(data_dir_, **memory); !wrote) return wrote;
  if (auto stepped = step(); !stepped) return stepped;
  if (auto wrote =
          write(place, "about.json", {{"restore", restore}, {"until", text_of(order, "until")}, {"restored", back}});
      !wrote)
    return wrote;
  if (auto stepped = step(); !stepped) return stepped;
  if (auto marked =
          write_restored_mark(data_dir_, {restore, false, text_of(order, "reached"), text_of(order, "until"), back});
      !marked)
    return marked;
  if (auto stepped = step(); !stepped) return stepped;
  std::remove(intent().c_str());
  if (auto synced = postgres::sync_directory(data_dir_); !synced) return synced;
  for (const std::string& left : {place + "/moved", place + "/after", back ? std::string() : restoring()})
    if (!left.empty())
      if (auto removed = postgres::remove_tree(left); !removed)
        log::warn("what an exchange of data needed stays", {{"error", removed.error().message}});
  return {};
}

}  // namespace twinspan::worker
