#include "worker/postgres/import_keeper.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "core/log.hpp"
#include "engines/postgres/admin.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/import_marks.hpp"
#include "engines/postgres/owner.hpp"

namespace twinspan::worker {
namespace {

using api::ImportPhase;

constexpr std::chrono::seconds kLookAround{1};
constexpr std::chrono::milliseconds kConnect{5000};
// Of Debian, and of the worker's image, which has them in this form alone.
constexpr const char* kPublicAuthorities = "/etc/ssl/certs/ca-certificates.crt";

const char* libpq_word(api::SslMode mode) {
  switch (mode) {
    case api::SslMode::kVerifyFull: return "verify-full";
    case api::SslMode::kVerifyCa: return "verify-ca";
    case api::SslMode::kRequire: return "require";
    case api::SslMode::kDisable: return "disable";
  }
  return "verify-full";
}

// Without the files of its secrets.

bool goes_on(const Desired& desired, const postgres::ImportFound& found) {
  return desired.import_->method == api::ImportMethod::kLogical &&
         postgres::goes_on(found, postgres::follow_name(found.origin, source_of(*desired.import_), desired.database));
}

}  // namespace

postgres::ImportSource source_of(const api::ImportSettings& settings) {
  return {settings.host,     static_cast<int>(settings.port), settings.database,
          settings.username, libpq_word(settings.ssl_mode),   "",
          kPublicAuthorities};
}

void ImportKeeper::start() {
  thread_.start([this](const std::stop_token& stop) { run(stop); });
}

void ImportKeeper::stop() { thread_.stop(); }

void ImportKeeper::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    look_after(c_.standing(), stop);
    wake_.wait(kLookAround, stop);
  }
}

void ImportKeeper::tell(const std::function<void(api::ImportStatus&)>& change) {
  c_.local.update([&](Local& local) {
    if (!local.import_) local.import_.emplace();
    change(*local.import_);
  });
}

void ImportKeeper::look_after(const Standing& now, const std::stop_token& stop) {
  if (!now.desired || !now.may_write) return;
  if (settled_ == Settled{now.life, now.desired->import_.has_value()}) return;
  if (!now.desired->import_) return leave_to_people(now, stop);
  if (now.desired->paused || c_.clock.boot_now() < next_at_) return;
  const auto found = postgres::look_at_import(c_.layout, c_.postgres_port, now.desired->database, stop);
  if (!found) return;  // looked at again: nobody gets in, or not yet
  postgres::ImportFound known = *found;
  known.told_completed |= now.desired->import_completed;
  known.goes_on = goes_on(*now.desired, known);
  const postgres::ImportStep step = postgres::next_step(known);
  std::string left_there;
  switch (step) {
    case postgres::ImportStep::kNothing:
      if (known.mark == postgres::ImportMark::kCompleted && !known.subscriptions.empty())
        left_there = finish_leaving(*now.desired, known, stop);
      settled_ = Settled{now.life, true};
      tell([&](api::ImportStatus& status) {
        if (status.phase == ImportPhase::kCompleted) return;
        status.phase = ImportPhase::kCompleted;
        if (!known.completed_at.empty()) status.completed_at = known.completed_at;
        status.message.reset();
        if (!left_there.empty()) status.message = left_there;
        if (known.mark == postgres::ImportMark::kNone)
          status.message = "it was copied once, and its database was made anew since: nothing is copied again";
      });
      return;
    case postgres::ImportStep::kRefuse:
      // What people have in it is theirs to use, and who shuts it after us means it.
      if (known.shut && opened_in_ != now.life)
        if (auto local = postgres::open_local(c_.layout, c_.postgres_port, kConnect, stop))
          if (postgres::let_clients_in(*local, now.desired->database, stop)) opened_in_ = now.life;
      if (known.mark == postgres::ImportMark::kBegun)
        return note(
            fail(Code::kInvalid,
                 fmt::format("database {} holds half of an import, and clients were let in (CONNECTION LIMIT): nothing "
                             "of it is dropped. To copy it anew: ALTER DATABASE {} CONNECTION LIMIT 0",
                             now.desired->database, now.desired->database)));
      return note(fail(
          Code::kInvalid,
          fmt::format("database {} holds {}: nothing is copied over what is there. To keep it: delete the link and "
                      "apply it without import, its volumes stay. To copy all the same: empty it (DROP SCHEMA … "
                      "CASCADE), or make a new link",
                      now.desired->database, known.holds)));
    case postgres::ImportStep::kAnew:
      // Before its subscription finds the password: it takes from the slot what somebody else may need.
      if (!known.subscriptions.empty() &&
          !postgres::drop_subscriptions(c_.layout, c_.postgres_port, now.desired->database, stop))
        return;
      break;
    case postgres::ImportStep::kBegin:
    case postgres::ImportStep::kFollow: break;
  }
  const BootTime began = c_.clock.boot_now();
  const Status outcome = watch(now, step, stop);
  // Of what follows, most of the time copies nothing.
  const bool copies = now.desired->import_->method == api::ImportMethod::kDump;
  note(outcome, copies ? std::chrono::ceil<std::chrono::seconds>(c_.clock.boot_now() - began) : kRetry);
}

// The link asks for no import: of one that an earlier link of this name began, what is here is people's.
void ImportKeeper::leave_to_people(const Standing& now, const std::stop_token& stop) {
  const auto found = postgres::look_at_import(c_.layout, c_.postgres_port, now.desired->database, stop);
  if (!found) return;
  if (found->mark == postgres::ImportMark::kBegun) {
    auto local = postgres::open_local(c_.layout, c_.postgres_port, kConnect, stop);
    if (!postgres::drop_subscriptions(c_.layout, c_.postgres_port, now.desired->database, stop)) return;
    if (!local || !postgres::give_up_import(*local, now.desired->database, stop)) return;
    log::warn("half of an import is here, and this link asks for none: clients are let in",
              {{"database", now.desired->database}, {"holds", found->holds}});
  }
  settled_ = Settled{now.life, false};
}

void ImportKeeper::note(const Status& outcome, std::chrono::seconds took) {
  if (!outcome && outcome.error().code == Code::kCancelled) return;
  if (outcome) {
    retry_ = kRetry;
    return;
  }
  const bool passes = outcome.error().retryable;
  log::warn("import failed", {{"error", outcome.error().message}});
  // What a person has to put right may be found after hours of copying: it is not copied again a minute later.
  const std::chrono::seconds pause = passes ? retry_ : std::max(retry_, took);
  next_at_ = c_.clock.boot_now() + pause;
  tell([&](api::ImportStatus& status) {
    status.phase = passes ? ImportPhase::kConnecting : ImportPhase::kFailed;
    status.message = fmt::format("{}; it is tried again {} s later", outcome.error().message, pause.count());
  });
  retry_ = std::min(2 * retry_, kRetryMax);
}

Status ImportKeeper::watch(const Standing& begun, postgres::ImportStep step, const std::stop_token& stop) {
  Status outcome;
  Signal over;
  std::stop_source own;
  const std::stop_callback on_stop(stop, [&] { own.request_stop(); });
  RoleThread attempting("import-attempt");
  attempting.start([&](const std::stop_token&) {
    outcome = attempt(*begun.desired, step, own.get_token());
    over.raise();
  });
  while (!over.wait(kLookAround, {})) {
    const Standing now = c_.standing();
    if (!now.may_write || now.life != begun.life) own.request_stop();
    if (own.stop_requested()) continue;
    if (const auto bytes = postgres::database_bytes(c_.layout, c_.postgres_port, begun.desired->database, stop))
      tell([&](api::ImportStatus& status) {
        if (status.phase == ImportPhase::kRows) status.bytes_done = *bytes;
      });
  }
  attempting.stop();
  return outcome;
}

// The files that libpq and its programs read, which nobody else may.
Result<postgres::ImportWanted> ImportKeeper::wanted(const Desired& desired, const std::string& owner,
                                                    const std::stop_token& stop) {
  const api::ImportSettings& settings = *desired.import_;
  postgres::ImportWanted wanted{
      source_of(settings), desired.database, owner, settings.schema_only, static_cast<size_t>(settings.jobs),
      directory()};
  std::error_code failed;
  std::filesystem::create_directories(wanted.directory, failed);
  if (failed) return fail(Code::kInternal, fmt::format("{}: {}", wanted.directory, failed.message()));
  const auto put = [&](const char* field, const api::SecretKeyReference& key, const char* name,
                       const std::function<std::string(const std::string&)>& text) -> Result<std::string> {
    const auto value = c_.secrets.read(key, stop);
    if (!value)
      return std::unexpected(Error{value.error().code,
                                   fmt::format("spec.postgres.bootstrap.import.{}: {}", field, value.error().message),
                                   value.error().code != Code::kInvalid && value.error().code != Code::kNotFound});
    std::string path = wanted.directory + "/" + name;
    if (auto wrote = postgres::replace_file(path, text(*value), 0600); !wrote) return std::unexpected(wrote.error());
    return path;
  };
  auto password = put("passwordSecretRef", settings.password_secret_ref, "password",
                      [](const std::string& value) { return postgres::pass_file_text(value); });
  if (!password) return std::unexpected(password.error());
  wanted.source.pass_file = std::move(*password);
  // libpq verifies the chain wherever it finds authorities.
  if (settings.ssl_mode == api::SslMode::kRequire) wanted.source.ca_file = "/nonexistent/root.crt";
  if (settings.ca_secret_ref) {
    auto authority = put("caSecretRef", {settings.ca_secret_ref->name, "ca.crt"}, "ca.crt",
                         [](const std::string& value) { return value + "\n"; });
    if (!authority) return std::unexpected(authority.error());
    wanted.source.ca_file = std::move(*authority);
  }
  return wanted;
}

// The database is empty, marked, and nobody else's for now.
Status ImportKeeper::make_ready(const Desired& desired, const postgres::ImportWanted& wanted,
                                const std::stop_token& stop) {
  const auto found = postgres::look_at_import(c_.layout, c_.postgres_port, desired.database, stop);
  if (!found) return std::unexpected(found.error());
  auto local = postgres::open_local(c_.layout, c_.postgres_port, kConnect, stop);
  if (!local) return std::unexpected(local.error());
  if (found->mark == postgres::ImportMark::kBegun) {
    if (!found->shut) return fail(Code::kConflict, fmt::format("database {} was opened meanwhile", desired.database));
    log::info("half of an import is here, it begins anew", {{"database", desired.database}});
    return postgres::begin_import_anew(c_.layout, c_.postgres_port, *local, desired.database, wanted.owner, stop);
  }
  opened_in_.reset();
  if (auto kept = postgres::keep_clients_out(*local, desired.database, stop); !kept) return kept;
  // Now that nobody can put anything into it any more.
  const auto sure = postgres::look_at_import(c_.layout, c_.postgres_port, desired.database, stop);
  if (!sure) return std::unexpected(sure.error());
  if (!sure->holds.empty())
    return fail(Code::kConflict, fmt::format("database {} is being written to", desired.database));
  return postgres::begin_import(*local, desired.database, stop);
}

// Kept no longer than its arguments.
postgres::ImportSteps ImportKeeper::steps(const Desired& desired, const postgres::ImportWanted& wanted,
                                          const std::stop_token& stop) {
  const auto reach = [this](ImportPhase phase, const char* words) {
    tell([&](api::ImportStatus& status) {
      status.phase = phase;
      status.message = words;
    });
  };
  return {[this, &desired, &wanted, &stop](int64_t tables, int64_t bytes) -> Status {
            if (auto ready = make_ready(desired, wanted, stop); !ready) return ready;
            tell([&](api::ImportStatus& status) {
              status.tables_done.reset();
              status.bytes_done.reset();
              status.phase = ImportPhase::kDefinitions;
              status.message = "definitions are being copied";
              status.tables = tables;
              status.bytes = bytes;
            });
            return {};
          },
          [this, reach] {
            reach(ImportPhase::kRows, "rows are being copied");
            tell([](api::ImportStatus& status) { status.tables_done = 0; });
          },
          [this, &desired, begun = std::make_shared<std::atomic<int64_t>>(0)] {
            // As many are under way as there are jobs.
            tell([&, count = ++*begun](api::ImportStatus& status) {
              status.tables_done =
                  std::max<int64_t>(0, count - std::min(desired.import_->jobs, status.tables.value_or(0)));
            });
          },
          [this, &wanted, reach] {
            if (wanted.schema_only) return reach(ImportPhase::kDefinitions, "indexes and constraints are being made");
            reach(ImportPhase::kRows, "rows are here; indexes and constraints are being made");
            tell([](api::ImportStatus& status) { status.tables_done = status.tables; });
          }};
}

Status ImportKeeper::attempt(const Desired& desired, postgres::ImportStep step, const std::stop_token& stop) {
  // What an earlier attempt failed of stands until this one knows better.
  tell([&](api::ImportStatus& status) {
    if (status.started_at) return;
    status.started_at = to_rfc3339(c_.clock.wall_now());
    status.message =
        fmt::format("{} of {}:{}", desired.import_->database, desired.import_->host, desired.import_->port);
  });
  const auto owner = postgres::read_owner(c_.owner_dir);
  if (!owner) return std::unexpected(owner.error());
  // What follows reads its files all the time.
  if (step != postgres::ImportStep::kFollow)
    if (auto removed = postgres::remove_tree(directory()); !removed) return removed;
  const auto wanted = this->wanted(desired, owner->username, stop);
  if (!wanted) return std::unexpected(wanted.error());
  if (desired.import_->method == api::ImportMethod::kLogical) {
    auto words = attempt_to_follow(desired, *wanted, step, stop);
    // Whoever fails now is soon tried again, and its subscription goes on until then.
    if (words || words.error().code == Code::kCancelled)
      if (auto removed = postgres::remove_tree(wanted->directory); !removed) return removed;
    if (!words) return std::unexpected(words.error());
    tell_completed(desired, std::move(*words), stop);
    return {};
  }
  const auto left_out =
      postgres::import_database(c_.children, c_.layout, c_.postgres_port, *wanted, steps(desired, *wanted, stop), stop);
  if (auto removed = postgres::remove_tree(wanted->directory); !removed) return removed;
  if (!left_out) return std::unexpected(left_out.error());
  if (auto whole = complete(desired, stop); !whole) return whole;
  tell_completed(desired, postgres::left_out_words(*left_out), stop);
  return {};
}

Status ImportKeeper::complete(const Desired& desired, const std::stop_token& stop) {
  auto local = postgres::open_local(c_.layout, c_.postgres_port, kConnect, stop);
  if (!local) return std::unexpected(local.error());
  return postgres::complete_import(*local, desired.database, stop);
}

void ImportKeeper::tell_completed(const Desired& desired, std::string words, const std::stop_token& stop) {
  const auto bytes = postgres::database_bytes(c_.layout, c_.postgres_port, desired.database, stop);
  tell([&](api::ImportStatus& status) {
    status.phase = ImportPhase::kCompleted;
    status.completed_at = to_rfc3339(c_.clock.wall_now());
    if (bytes && status.bytes) status.bytes_done = *bytes;
    status.lag_bytes.reset();
    status.message = words.empty() ? std::nullopt : std::optional(std::move(words));
  });
  log::info("import completed", {{"database", desired.database}});
}

}  // namespace twinspan::worker
