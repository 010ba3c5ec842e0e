// What the agent does to its database: the effects of failover/member.hpp's actions, and two of its own. Each may be
// repeated, and ends soon after its stop token is set.
#pragma once
#include <memory>
#include <stop_token>
#include <string>
#include <variant>

#include "core/clock.hpp"
#include "engines/postgres/admin.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/postmaster.hpp"
#include "failover/member.hpp"
#include "worker/desired.hpp"
#include "worker/guard.hpp"
#include "worker/local.hpp"

namespace twinspan::worker {

struct Compare {  // this data with the history of the primary of that epoch
  std::string primary;
  Epoch epoch;
};
struct Open {};  // wait until the primary accepts writes, and give it what a primary needs
struct Upkeep {  // configuration, certificates, slots, owner: towards the spec
  std::string primary;
};

using Job = std::variant<HandOver, Initialize, StartPrimary, Promote, StopReceiver, StartReplica, Follow, Clone, Rewind,
                         StopReplica, Compare, Open, Upkeep>;
std::string to_string(const Job& job);
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
  };
  explicit Jobs(Context context) : c_(context) {}

  Status run(const Job& job, const Desired& desired, const std::stop_token& stop);
  // Kills the database at once; any thread.
  void fence();

 private:
  Status carry_out(const HandOver& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Initialize& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const StartPrimary& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Promote& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const StopReceiver& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const StartReplica& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Follow& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Clone& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Rewind& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const StopReplica& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Compare& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Open& job, const Desired& desired, const std::stop_token& stop);
  Status carry_out(const Upkeep& job, const Desired& desired, const std::stop_token& stop);

  // Writes the files and reloads where something changed. A parameter that PostgreSQL refuses is told in the report;
  // the rest counts.
  Status configure(const Desired& desired, const std::string& following, bool as_primary, const std::stop_token& stop);
  Result<postgres::Upstream> find(const Desired& desired, const std::string& endpoint) const;
  Result<postgres::Session> connect(const Desired& desired, const std::stop_token& stop) const;
  Result<postgres::Ancestry> own_ancestry(const Desired& desired, const std::stop_token& stop);
  Status apply_owner(const Desired& desired, postgres::Session& session, const std::stop_token& stop);
  Status restart_where_needed(const Desired& desired, const Local& local, const std::string& primary);
  void data_replaced(DataShape shape);
  void doing(std::optional<MemberState> state, std::optional<Progress> progress = std::nullopt);

  Context c_;
  std::map<std::string, std::string> good_parameters_;  // that PostgreSQL has accepted, by this life of the agent
  std::map<std::string, int64_t> recovery_floor_;       // of this life of the database
  std::optional<uint64_t> recovery_floor_life_;
  std::string owner_applied_;  // content of the owner's files, as last applied by this life of the agent
  std::optional<BootTime> restart_pending_since_;
};

// The files of the owner's Secret. kNotFound, kInvalid.
Result<postgres::Owner> read_owner(const std::string& owner_dir);

}  // namespace twinspan::worker
