#include "worker/postgres/backup/backup_keeper.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "api/validate.hpp"
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
      server_(c_.children, c_.layout, c_.address),
      listener_(socket_of(c_.layout), [this](const std::string& file, const std::function<bool()>& gone,
                                             const std::stop_token& stop) { return store(file, gone, stop); }),
      repository_({c_.children, c_.layout, c_.clock, c_.local, [this] { return repository_turn(); },
                   [this](const std::function<void(BackupReport&)>& change) { tell(change); }}),
      tails_({c_.layout, c_.clock, c_.local, [this] { return tail_place(); },
              [this](const TailKeeper::Place& place, const std::string& segment, const std::stop_token& stop) {
                return archived(place, segment, stop);
              },
              [this](const auto& said, const std::string& trouble) { tell_tail(said, trouble); }}) {}

BackupKeeper::~BackupKeeper() { stop(); }

Status BackupKeeper::start() {
  if (auto listens = listener_.start(); !listens) return listens;
  thread_.start([this](const std::stop_token& stop) { run(stop); });
  tails_.start();
  repository_.start();
  return {};
}

void BackupKeeper::stop() {
  listener_.stop();
  tails_.stop();
  thread_.stop();
  read_back_.stop();
  repository_.stop();
  attempts_.stop();
  server_.want(std::nullopt);
}

void BackupKeeper::poke() {
  const Standing now = c_.standing();
  if (!now.desired || !helps(now.desired->backup, self(now))) server_.end_now();
  {
    MutexLock lock(mutex_);
    if (decide_attempt(attempt_view(now)) == AttemptStep::kEnd) stop_attempt_.request_stop();
  }
  repository_.poke();
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
  repository_.end_deletion();
  MutexLock lock(mutex_);
  stop_storing_.request_stop();
}

std::optional<PgBackRest> BackupKeeper::program() const {
  MutexLock lock(mutex_);
  if (!ready_) return std::nullopt;
  return PgBackRest(c_.children, ready_->config, ready_->assignment.stanza);
}

std::optional<PgBackRest> BackupKeeper::archive() const {
  const Standing now = c_.standing();
  if (!now.desired || !now.desired->backup) return std::nullopt;
  MutexLock lock(mutex_);
  if (!ready_ || !same_place(ready_->assignment, *now.desired->backup)) return std::nullopt;
  return PgBackRest(c_.children, ready_->config, ready_->assignment.stanza);
}

// Of the archiver while it may store, and of nobody else. Before its timeline is noted, what is stored under its number
// may be another promotion's.
std::optional<RepositoryKeeper::Turn> BackupKeeper::repository_turn() const {
  const Standing now = c_.standing();
  if (!now.desired || !now.desired->backup || !now.may_store || now.ending) return std::nullopt;
  const api::BackupAssignment& wanted = *now.desired->backup;
  const auto entry = own_entry();
  MutexLock lock(mutex_);
  if (wanted.archiver != now.desired->settings.endpoint || !ready_ || !ready_->there || !entry || noted_ != entry ||
      !same_place(ready_->assignment, wanted))
    return std::nullopt;
  return RepositoryKeeper::Turn{PgBackRest(c_.children, ready_->config, wanted.stanza), wanted.stanza,
                                api::repository_of(wanted.destination.s3), wanted.expire,
                                wanted.run.has_value() || attempted_.has_value()};
}

void BackupKeeper::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Standing now = c_.standing();
    const bool serves = now.desired && helps(now.desired->backup, self(now));
    server_.want(serves ? std::optional(now.desired->backup->stanza) : std::nullopt);
    // What a replica stored meanwhile is in no listing of this member's, which is the one that counts.
    const std::string helped = serves ? now.desired->backup->run->uid : "";
    if (const std::string before = std::exchange(helped_, helped); !before.empty() && before != helped)
      repository_.look_again();
    look_after(now, stop);
    repository_.end_what_may_not_go_on();
    wake_.wait(kLookAround, stop);
  }
}

Member BackupKeeper::self(const Standing& now) {
  return {now.desired ? now.desired->settings.endpoint : "", now.may_store, now.follows};
}

void BackupKeeper::look_after(const Standing& now, const std::stop_token& stop) {
  if (!now.desired) return;
  if (!now.desired->backup) {
    {
      MutexLock lock(mutex_);
      ready_.reset();
    }
    asked_for_.reset();
    dropped_of_.clear();
    dropped_checked_ = false;
    read_back_.want(std::nullopt, std::nullopt);
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
  if (ready || !archiver) look_at_dropped(wanted, ready && archiver && now.may_store, stop);
  const Local local = c_.local.copy();
  const bool archiving = local.seen && local.seen->archiving;
  const bool writes = now.may_store && local.seen && !local.seen->in_recovery;
  tell([&](BackupReport& report) {
    report.archiving = archiving;
    report.at_replicas = true;
    report.timeline = writes ? local.seen->timeline : 0;
  });
  const bool reads = archiver && now.may_store && wanted.read;
  read_back_.want(reads ? std::optional(wanted.read->asked) : std::nullopt, ready ? program() : std::nullopt);
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
    // It looks for a backup after it has said so, and this looks for it after that: one of the two gives way.
    if (repository_.deletes()) {
      attempted_.reset();
      return;
    }
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
    noted_.reset();
    others_.clear();
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
  const bool elsewhere = asked_for_ && !same_place(*asked_for_, wanted);
  std::optional<Ready> ready = known(wanted, may_store);
  if (elsewhere) tell([](BackupReport& report) { report.repository.reset(); });
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

namespace {

Status stanza_there(const PgBackRest& program, const std::stop_token& stop) {
  const auto made = program.run_checked({"stanza-create"}, {}, stop);
  return made ? Status{} : std::unexpected(made.error());
}

}  // namespace

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
  if (!may_store) return {};
  if (auto noted = note_lineage(*ready, stop); !noted) return noted;
  {
    MutexLock lock(mutex_);
    if (ready->there && !histories_owed_) return {};
    histories_owed_ = false;
  }
  const PgBackRest program(c_.children, ready->config, wanted.stanza);
  const auto made = ready->there ? Status{} : stanza_there(program, stop);
  if (auto stored = made ? store_histories(program, stop) : made; !stored) {
    MutexLock lock(mutex_);
    histories_owed_ = true;
    return stored;
  }
  ready->there = true;
  log::info("the repository is there", {{"stanza", wanted.stanza}, {"bucket", wanted.destination.s3.bucket}});
  return {};
}

std::optional<BackupKeeper::OwnTimeline> BackupKeeper::own_entry() const {
  const Standing now = c_.standing();
  const Local local = c_.local.copy();
  if (!now.may_store || !local.memory || !local.seen || local.seen->in_recovery || !local.timeline ||
      *local.timeline != local.seen->timeline)
    return std::nullopt;
  const EpochHistory& epochs = local.memory->epochs;
  const auto begun = backup::lineage_entry(epochs.empty() ? 0 : epochs.back().epoch.value, *local.timeline,
                                           backup::departures_of(local.history));
  return begun ? std::optional(OwnTimeline{*begun, now.epoch}) : std::nullopt;
}

Status BackupKeeper::note_lineage(const Ready& ready, const std::stop_token& stop) {
  const auto own = own_entry();
  if (!own) return fail(Code::kUnavailable, "the timeline that this primary writes is not known yet");
  {
    MutexLock lock(mutex_);
    if (noted_ == own) return {};
  }
  auto lineage = postgres::LineageStore::open(ready.config, ready.assignment.stanza, c_.clock);
  if (!lineage) return std::unexpected(lineage.error());
  const Local local = c_.local.copy();
  const backup::OwnLineage mine{own->begun, own->epoch, backup::departures_of(local.history),
                                local.memory ? local.memory->epochs : EpochHistory{}};
  const auto noted = lineage->note(
      mine, [&] { return own_entry() == own; }, stop);
  if (!noted)
    return std::unexpected(
        Error{noted.error().code,
              fmt::format("{}: {}", backup::lineage_folder(ready.assignment.stanza), noted.error().message),
              noted.error().retryable});
  std::set<backup::Timeline> others = backup::taken_by_others(noted->begun, mine.history, mine.epochs);
  MutexLock lock(mutex_);
  noted_ = own;
  others_ = std::move(others);
  return {};
}

std::string BackupKeeper::trouble() const {
  for (const std::string& words : {reaching_.words(), storing_.words()})
    if (!words.empty()) return words;
  return tail_trouble_;
}

std::optional<TailKeeper::Place> BackupKeeper::tail_place() const {
  const Standing now = c_.standing();
  if (!now.may_store || now.ending || !now.desired || !now.desired->backup) return std::nullopt;
  const api::BackupAssignment& wanted = *now.desired->backup;
  if (wanted.archiver != now.desired->settings.endpoint) return std::nullopt;
  const auto entry = own_entry();
  MutexLock lock(mutex_);
  if (!ready_ || !ready_->there || !report_.archiving || !same_place(ready_->assignment, wanted) || !entry ||
      noted_ != entry)
    return std::nullopt;
  return TailKeeper::Place{ready_->config, wanted.stanza, api::repository_of(wanted.destination.s3),
                           std::chrono::seconds(wanted.max_delay_seconds), entry->begun.epoch};
}

// Each second something else: others hear of it when it matters, and every ten seconds.
void BackupKeeper::tell_tail(const std::optional<BackupReport::Continuous>& said, const std::string& trouble_words) {
  constexpr int64_t kOften = 10;
  std::string words;
  auto cause = BackupReport::Cause::kNone;
  {
    MutexLock lock(mutex_);
    // The bucket takes what is stored again, and nothing waits whose store would tell: it was let go.
    if (!tail_trouble_.empty() && trouble_words.empty() && report_.waiting.empty()) storing_.passed();
    tail_trouble_ = trouble_words;
    words = trouble();
    cause = cause_of_trouble();
    const auto& before = report_.continuous;
    if (said && before && before->tail == said->tail && report_.trouble == words &&
        before->unsafe_seconds.has_value() == said->unsafe_seconds.has_value() &&
        said->seen_at - before->seen_at < kOften && before->seen_at <= said->seen_at)
      return;
  }
  tell([&](BackupReport& report) {
    report.continuous = said;
    report.trouble = words;
    report.cause = cause;
  });
}

BackupReport::Cause BackupKeeper::cause_of_trouble() const {
  if (!reaching_.words().empty())
    return reaching_.code() == Code::kConflict ? BackupReport::Cause::kConflict : BackupReport::Cause::kUnreachable;
  if (storing_.words().empty())
    return tail_trouble_.empty() ? BackupReport::Cause::kNone : BackupReport::Cause::kBehind;
  switch (storing_.code()) {
    case Code::kConflict: return BackupReport::Cause::kConflict;
    case Code::kUnavailable:
    case Code::kTimeout:
    case Code::kDenied: return BackupReport::Cause::kUnreachable;
    default: return BackupReport::Cause::kBehind;
  }
}

void BackupKeeper::tell_reached(const api::BackupAssignment& wanted, bool ready) {
  std::string words;
  auto cause = BackupReport::Cause::kNone;
  {
    MutexLock lock(mutex_);
    words = trouble();
    cause = cause_of_trouble();
  }
  tell([&](BackupReport& report) {
    if (report.stanza != wanted.stanza) report = {};
    report.stanza = wanted.stanza;
    report.ready = ready;
    report.trouble = words;
    report.cause = cause;
  });
}

}  // namespace twinspan::worker
