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
  attempts_.stop();
}

void BackupKeeper::poke() {
  const Standing now = c_.standing();
  {
    MutexLock lock(mutex_);
    if (decide_attempt(attempt_view(now)) == AttemptStep::kEnd) stop_attempt_.request_stop();
  }
  wake_.raise();
}

void BackupKeeper::tell(const std::function<void(BackupReport&)>& change) {
  {
    MutexLock lock(mutex_);
    BackupReport after = report_;
    change(after);
    if (after == report_) return;
    report_ = std::move(after);
  }
  // Of several threads: the last to come here may not be the last that changed it.
  c_.local.update([&](Local& local) {
    MutexLock lock(mutex_);
    BackupReport after = report_;
    after.restored = local.backup ? local.backup->restored : std::nullopt;  // said by the job that restores
    local.backup = std::move(after);
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
    asked_for_.reset();
    tell([](BackupReport& report) { report = {}; });
    return;
  }
  const api::BackupAssignment& wanted = *now.desired->backup;
  {
    MutexLock lock(mutex_);
    if (!may_configure(attempt_view(now))) return;
  }
  const bool archiver = wanted.archiver == now.desired->settings.endpoint;
  const bool ready = make_ready(wanted, archiver && now.may_store, stop);
  if (stop.stop_requested()) return;
  tell_reached(wanted, ready);
  const Local local = c_.local.copy();
  const bool archiving = local.seen && local.seen->archiving;
  const bool writes = now.may_store && local.seen && !local.seen->in_recovery;
  tell([&](BackupReport& report) {
    report.archiving = archiving;
    report.timeline = writes ? local.seen->timeline : 0;
  });
  // pgBackRest takes none before that: the restart that it waits for has its turn.
  if (!ready || !archiving) return;
  // Reaching the repository may have taken minutes: what is wanted by now counts.
  const Standing present = c_.standing();
  std::optional<api::BackupRun> run;
  {
    MutexLock lock(mutex_);
    const AttemptStep step = decide_attempt(attempt_view(present));
    if (step == AttemptStep::kEnd) stop_attempt_.request_stop();
    if (step != AttemptStep::kBegin || !same_place(wanted, *present.desired->backup)) return;
    attempted_ = *present.desired->backup;
    run = attempted_->run;
    stop_attempt_ = std::stop_source();
  }
  begin_attempt(*run);
}

// Of a repository that was asked for before nothing counts, nor what it refused.
std::optional<BackupKeeper::Ready> BackupKeeper::known(const api::BackupAssignment& wanted, bool may_store) {
  MutexLock lock(mutex_);
  if (!asked_for_ || !same_place(*asked_for_, wanted)) {
    ready_.reset();
    reaching_.passed();
    storing_.passed();
    again_at_ = {};
    asked_for_ = wanted;
  }
  if (std::exchange(asked_to_store_, may_store) != may_store) again_at_ = {};
  return ready_;
}

// Whether the repository can be used, by what was read last where nobody answers.
bool BackupKeeper::make_ready(const api::BackupAssignment& wanted, bool may_store, const std::stop_token& stop) {
  std::optional<Ready> ready = known(wanted, may_store);
  const BootTime now = c_.clock.boot_now();
  if (now < again_at_) return usable_;
  const Status made = reach(wanted, may_store, ready, stop);
  if (stop.stop_requested()) return false;
  MutexLock lock(mutex_);
  made ? reaching_.passed() : reaching_.failed(made.error(), now);
  again_at_ = reaching_.again_at();
  if (ready) ready_ = ready;
  return usable_ = ready && (ready->there || !may_store) && (made || made.error().retryable);
}

Status BackupKeeper::reach(const api::BackupAssignment& wanted, bool may_store, std::optional<Ready>& ready,
                           const std::stop_token& stop) {
  const BootTime now = c_.clock.boot_now();
  if (!ready || now >= refresh_at_) {
    const backup::Instance instance{wanted.stanza, c_.layout.pgdata(), c_.layout.run_dir, c_.postgres_port,
                                    c_.layout.run_dir + "/backup"};
    const auto config = c_.access.write(wanted.destination, wanted.encryption, instance, stop);
    if (!config) {
      Error error = config.error();
      // No word on the Secret: it may be there, and our rights to it may come a moment after the wish.
      error.retryable = error.code != Code::kNotFound && error.code != Code::kInvalid;
      return std::unexpected(std::move(error));
    }
    refresh_at_ = now + kRefresh;
    ready = Ready{wanted, *config, ready && ready->there};
  }
  if (ready->there || !may_store) return {};
  const PgBackRest program(c_.children, ready->config, wanted.stanza);
  if (auto made = program.run_checked({"stanza-create"}, {}, stop); !made) return std::unexpected(made.error());
  if (auto stored = store_histories(program, stop); !stored) return stored;
  ready->there = true;
  log::info("the repository is there", {{"stanza", wanted.stanza}, {"bucket", wanted.destination.s3.bucket}});
  return {};
}

void BackupKeeper::tell_reached(const api::BackupAssignment& wanted, bool ready) {
  std::string words;
  {
    MutexLock lock(mutex_);
    words = reaching_.words().empty() ? storing_.words() : reaching_.words();
  }
  tell([&](BackupReport& report) {
    if (report.stanza != wanted.stanza) report = {};
    report.stanza = wanted.stanza;
    report.ready = ready;
    report.trouble = words;
  });
}

}  // namespace twinspan::worker
