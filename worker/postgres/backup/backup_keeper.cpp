#include "worker/postgres/backup/backup_keeper.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "core/log.hpp"

namespace twinspan::worker {
namespace {

constexpr std::chrono::seconds kLookAround{1}, kRefresh{30};

std::string socket_of(const postgres::Layout& layout) { return layout.run_dir + "/archive.sock"; }

}  // namespace

std::string archive_command_of(const postgres::Layout& layout) {
  return fmt::format("{} store {} %p # pgbackrest", archive_program(), socket_of(layout));
}

BackupKeeper::BackupKeeper(Context context)
    : c_(std::move(context)),
      listener_(socket_of(c_.layout), [this](const std::string& file, const std::function<bool()>& gone,
                                             const std::stop_token& stop) { return store(file, gone, stop); }) {}

BackupKeeper::~BackupKeeper() { stop(); }

Status BackupKeeper::start() {
  if (auto listens = listener_.start(); !listens) return listens;
  thread_.start([this](const std::stop_token& stop) { run(stop); });
  return {};
}

void BackupKeeper::stop() {
  listener_.stop();
  thread_.stop();
}

void BackupKeeper::poke() {
  const Standing now = c_.standing();
  const bool wanted = now.desired && now.desired->backup;
  {
    MutexLock lock(mutex_);
    // Another one is wanted by now, or none: what runs is of no use to anybody.
    if (attempted_ && (!wanted || now.desired->backup->run != attempted_)) stop_attempt_.request_stop();
  }
  wake_.raise();
}

void BackupKeeper::tell(const std::function<void(BackupReport&)>& change) {
  BackupReport after;
  {
    MutexLock lock(mutex_);
    after = report_;
    change(after);
    if (after == report_) return;
    report_ = after;
  }
  c_.local.update([&](Local& local) {
    after.restored = local.backup ? local.backup->restored : std::nullopt;  // said by the job that restores
    local.backup = after;
  });
}

void BackupKeeper::database_ends() {
  MutexLock lock(mutex_);
  stop_storing_.request_stop();
}

std::optional<PgBackRest> BackupKeeper::program() const {
  MutexLock lock(mutex_);
  if (!ready_) return std::nullopt;
  return PgBackRest(c_.children, ready_->config, ready_->assignment.stanza);
}

// Whoever stores now and what is wanted besides may change without a new configuration.
bool BackupKeeper::usable(const Ready& ready, const api::BackupAssignment& wanted) const {
  return ready.assignment.stanza == wanted.stanza && ready.assignment.destination == wanted.destination &&
         ready.assignment.encryption == wanted.encryption;
}

void BackupKeeper::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    look_after(c_.standing(), stop);
    wake_.wait(kLookAround, stop);
  }
}

void BackupKeeper::look_after(const Standing& now, const std::stop_token& stop) {
  if (!now.desired) return;
  if (!now.desired->backup) {
    {
      MutexLock lock(mutex_);
      ready_.reset();
    }
    tell([](BackupReport& report) { report = {}; });
    return;
  }
  const api::BackupAssignment& wanted = *now.desired->backup;
  const bool archiver = wanted.archiver == now.desired->settings.endpoint;
  if (auto made = make_ready(wanted, archiver && now.may_store, stop); !made) {
    if (!stop.stop_requested())
      tell([&](BackupReport& report) {
        report.stanza = wanted.stanza;
        report.ready = false;
        report.trouble = made.error().message;
      });
    return;
  }
  const Local local = c_.local.copy();
  const bool archiving = local.seen && local.seen->archiving;
  const bool writes = now.may_store && local.seen && !local.seen->in_recovery;
  tell([&](BackupReport& report) {
    report.archiving = archiving;
    report.timeline = writes ? local.seen->timeline : 0;
  });
  // pgBackRest takes none before that: the restart that it waits for has its turn.
  if (!archiving) return;
  if (archiver && now.may_store && wanted.run && wanted.run->endpoint == now.desired->settings.endpoint)
    attempt(wanted, stop);
}

Status BackupKeeper::make_ready(const api::BackupAssignment& wanted, bool may_store, const std::stop_token& stop) {
  std::optional<Ready> ready;
  {
    MutexLock lock(mutex_);
    if (ready_ && !usable(*ready_, wanted)) ready_.reset();
    ready = ready_;
  }
  const BootTime now = c_.clock.boot_now();
  if (!ready || now - refreshed_at_ >= kRefresh) {
    const backup::Instance instance{wanted.stanza, c_.layout.pgdata(), c_.layout.run_dir, c_.postgres_port,
                                    c_.layout.run_dir + "/backup"};
    const auto config = c_.access.write(wanted.destination, wanted.encryption, instance, stop);
    if (!config) return std::unexpected(config.error());
    refreshed_at_ = now;
    ready = Ready{wanted, *config, ready && ready->there};
  }
  if (may_store && !ready->there) {
    const PgBackRest program(c_.children, ready->config, wanted.stanza);
    if (auto made = program.run_checked({"stanza-create"}, {}, stop); !made) return std::unexpected(made.error());
    if (auto stored = store_histories(program, stop); !stored) return stored;
    ready->there = true;
    log::info("the repository is there", {{"stanza", wanted.stanza}, {"bucket", wanted.destination.s3.bucket}});
  }
  const bool complete = ready->there || !may_store;
  {
    MutexLock lock(mutex_);
    ready_ = std::move(ready);
  }
  tell([&](BackupReport& report) {
    if (report.stanza != wanted.stanza) report = {};
    report.stanza = wanted.stanza;
    if (!report.ready) report.trouble.clear();  // what storing says stays its own
    report.ready = complete;
  });
  return {};
}

}  // namespace twinspan::worker
