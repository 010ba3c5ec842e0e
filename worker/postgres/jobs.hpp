// What the agent does to its database: the effects of failover/log/member.hpp's actions, and two of its own. Each may
// be repeated, and ends soon after its stop token is set.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>

#include "core/clock.hpp"
#include "engines/postgres/admin.hpp"
#include "engines/postgres/archive/follow.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/in_force.hpp"
#include "engines/postgres/owner.hpp"
#include "engines/postgres/postmaster.hpp"
#include "failover/log/member.hpp"
#include "worker/postgres/backup/in_place.hpp"
#include "worker/postgres/backup/pgbackrest.hpp"
#include "worker/postgres/backup/repository_access.hpp"
#include "worker/postgres/backup/restore_plan.hpp"
#include "worker/postgres/desired.hpp"
#include "worker/postgres/guard.hpp"
#include "worker/postgres/hba_keeper.hpp"
#include "worker/postgres/local.hpp"
#include "worker/postgres/object_keeper.hpp"
#include "worker/postgres/parameter_keeper.hpp"
#include "worker/postgres/restart_turn.hpp"

namespace twinspan::worker {

struct Compare {  // this data with the history of the primary of that epoch
  std::string primary;
  Epoch epoch;
  EpochHistory epochs;  // that its data consist of
};
struct Open {  // wait until the primary accepts writes, and give it what a primary needs
  bool operator==(const Open&) const = default;
};
struct Examine {  // what the data of a stopped database are, from its files
  bool operator==(const Examine&) const = default;
};
struct Upkeep {  // configuration, certificates, slots, owner, declared objects: towards the spec
  std::string primary;
  EpochHistory epochs = {};  // that its data consist of
};

// Of every job: until a session of one's own is open, and until a database that was asked to stop is asked harder.
inline constexpr std::chrono::milliseconds kLocalConnect{1000}, kDatabaseStops{2000};

using Job = std::variant<HandOver, Remember, Initialize, PutRestored, StartPrimary, Promote, StopReceiver, StartReplica,
                         Follow, Clone, Rewind, StopReplica, Compare, Examine, Open, Upkeep>;
std::string to_string(const Job& job);
// One that runs need not give way to the other, and counts its failures. A copy goes on where its source has begun
// another epoch meanwhile, and so does what is done again and again for whoever is primary.
bool is_same(const Job& a, const Job& b);
std::string name_of(const Job& job);  // without its arguments: "Follow"

// One thread at a time, but for fence().
class Jobs {
 public:
  struct Context {
    postgres::Children& children;
    postgres::Postmaster& postmaster;
    const postgres::Layout& layout;
    const std::string& owner_dir;
    const Guard& guard;
    const Clock& clock;
    LocalState& local;
    SecretSource& passwords;
    const RepositoryAccess& repository;
    InPlace& places;
    std::function<std::optional<PgBackRest>()> archive;  // of the link's log, where it can be read
  };
  explicit Jobs(Context context)
      : c_(context),
        parameters_(context.layout.data_dir),
        hba_(context.layout.pgdata()),
        objects_(context.clock, context.passwords) {}

  Status run(const Job& job, const Desired& desired, const std::stop_token& stop);
  // Kills the database at once; any thread.
  void fence();

 private:
  Status carry_out(const HandOver& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Remember& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Initialize& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const PutRestored& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const StartPrimary& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Promote& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Examine& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Open& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Upkeep& job, const Desired& desired, const std::stop_token& stop);
  Status restore(const Desired& desired, const std::stop_token& stop);
  Status finish_exchange();
  Status data_exchanged();  // what is known of the data that were here is forgotten
  // jobs_replica.cpp
  Status carry_out(const StopReceiver& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const StartReplica& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Follow& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Clone& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Rewind& job, const Desired& desired, const std::stop_token& stop);
  bool can_rewind_from_archive(const Desired& desired, const std::stop_token& stop);
  Status carry_out(const StopReplica& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Compare& job, const Desired& desired, const std::stop_token& stop);

  // jobs_parameters.cpp. Writes the files and reloads where something changed. Settings that PostgreSQL does not run
  // with are told in the report, and those it last ran well with count.
  Status configure(const Desired& desired, const std::string& following, bool as_primary, const std::stop_token& stop);
  Result<postgres::Settings> settings_of(const Desired& desired, const std::string& following, bool as_primary,
                                         const std::stop_token& stop);
  Result<bool> write_settings(const Desired& desired, postgres::Settings settings, const std::stop_token& stop);
  ParameterKeeper::Map acceptable_alone(postgres::Settings settings, const std::stop_token& stop);
  Result<bool> take_back_altered(const Desired& desired);
  void note_asked(const ParameterKeeper::Map& asked, const std::string& attempt);
  Result<bool> start_database(const Desired& desired, const std::stop_token& stop);
  bool nobody_gets_in(const Error& error, std::optional<BootTime>& since) const;
  Result<bool> give_up_and_stop(const std::string& words);
  Status check_parameters(const Desired& desired, const std::string& following, bool as_primary,
                          const std::stop_token& stop);
  Result<postgres::SettingsSeen> ask_of_settings(const Desired& desired, const std::stop_token& stop);
  // jobs_hba.cpp
  HbaKeeper::Lines asked_hba(const Desired& desired) const;
  Status judge_hba(const Desired& desired, const std::stop_token& stop);
  Result<postgres::Upstream> find(const Desired& desired, const std::string& endpoint) const;
  Result<postgres::Session> connect(const Desired& desired, const std::stop_token& stop) const;
  Result<postgres::Ancestry> own_ancestry(const Desired& desired, const std::stop_token& stop);
  Status apply_owner(const Desired& desired, postgres::Session& session, const std::stop_token& stop);
  Status restart_where_needed(const Desired& desired, const Local& local, const std::string& primary);
  // repairs.cpp: what a member does for a connection or a log that is lost for good.
  Status end_false_senders(const Desired& desired, const Local& local, const std::stop_token& stop);
  void look_for_log_gap(const Desired& desired, const Local& local, const Upkeep& job, const std::stop_token& stop);
  Result<std::string> from_archive(const Desired& desired, const Local& local, const Upkeep& job,
                                   const postgres::Upstream& upstream, Position received, const std::stop_token& stop);
  Result<bool> is_our_log(const PgBackRest& archive, const postgres::Followed& followed, uint32_t first,
                          const EpochHistory& epochs, const std::stop_token& stop) const;
  void bound_wal(postgres::Settings& settings);
  Status keep_declared(const Desired& desired, const std::stop_token& stop);
  Status keep_objects(const Desired& desired, const Local& local, const std::string& owner,
                      const std::stop_token& stop);
  Status make_tablespaces(const Desired& desired, const std::string& upstream, const std::stop_token& stop);
  Status restart_hung_receiver(const Desired& desired, const Local& local);
  Result<postgres::Session> prepare_repair(const Desired& desired, const postgres::Upstream& primary,
                                           const std::stop_token& stop);
  void data_replaced(DataShape shape);
  Status copied(const EpochHistory& epochs);
  void doing(std::optional<MemberState> state, std::optional<Progress> progress = std::nullopt);

  Context c_;
  ParameterKeeper parameters_;
  HbaKeeper hba_;
  ObjectKeeper objects_;
  int unproven_starts_ = 0;                        // with what was chosen
  std::optional<BootTime> refused_since_;          // new sessions, though it runs
  WallTime reloaded_at_{};                         // when the server was last asked to read its files
  std::map<std::string, int64_t> recovery_floor_;  // of this life of the database
  std::optional<uint64_t> recovery_floor_life_;
  std::string owner_applied_;    // content of the owner's files, as last applied by this life of the agent
  std::string declared_digest_;  // as it was after that
  BootTime declared_at_{};       // looked at
  RestartTurn restart_turn_;
  std::string restoring_;        // the Restore that was last at work
  Exhausted restore_exhausted_;  // its
  struct Idle {                  // a replica that receives nothing, and since when it is where it is
    uint64_t life = 0;
    Position received;
    BootTime since;
    Position replayed{};  // and when it last replayed anything
    BootTime replayed_at{};
  };
  std::optional<Idle> receives_nothing_;
  std::string rewinds_with_;        // restore_command of pg_rewind's, while that is written
  uint64_t bounded_for_bytes_ = 0;  // the volume that log was bounded by last
};

}  // namespace twinspan::worker
