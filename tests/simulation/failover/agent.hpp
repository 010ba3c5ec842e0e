// A member: the agent of one pod, its database and its disk. Mirrors worker/: a watch of two kinds of object, a lease
// keeper with one request at a time, one job at a time on the database, and a guard apart from all of them.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "api_server.hpp"
#include "failover/log/member.hpp"
#include "failover/report.hpp"
#include "ledger.hpp"

namespace twinspan::simulation {

class Agent;

constexpr Micros kForEver = 3600 * kSecond;

// What the parts of the model share.
struct Cluster {
  Cluster(uint64_t seed, const Options& wanted)
      : options(wanted), network(seed), api(network), ledger(network, options) {}

  bool mistaken(Mistake what) const { return options.mistake == what; }
  Agent* find(const std::string& endpoint);  // who answers at its present pod's address; nullptr: no such pod
  void check_single();

  const Options options;
  Network network;
  ApiServer api;
  Ledger ledger;
  Timelines timelines;
  std::vector<std::unique_ptr<Agent>> agents;
  int lives = 0;  // of agents, ever
};

class Agent {
 public:
  Agent(Cluster& cluster, std::string endpoint, int pod, std::shared_ptr<Volume> volume);

  void start();                   // an agent begins, knowing only what is on its disk
  void end(Micros back_after);    // the agent dies, the database with it; < 0: for good
  void ask_to_stop();             // SIGTERM
  void database_dies();           // by itself
  void suspend(Micros duration);  // the whole machine
  void hang(Micros duration);     // the agent alone
  void disk_hangs(Micros duration);
  void promotions_hang(Micros duration) { hang_promotions_until_ = duration == kForEver ? kForEver : now() + duration; }
  void promotions_fail(Micros duration) { fail_promotions_until_ = now() + duration; }
  void lose_volume();     // its pod comes back with an empty one
  void new_pod(int pod);  // while it is not alive: the next life is another pod's, over the same volume
  void delete_pod();      // SIGTERM, and no life after it before start()
  void become_ghost();    // its pod was given up on: another has its name; this one is cut off for good
  void mend();
  void check_guard();
  void step();

  const std::string& endpoint() const { return endpoint_; }
  const std::string& address() const { return address_; }
  int pod() const { return pod_; }
  std::string who() const { return endpoint_ + "/" + instance_; }
  bool alive() const { return alive_; }
  bool ghost() const { return ghost_; }
  bool deleted() const { return deleted_; }
  bool awake() const { return alive_ && now() >= suspended_until_ && now() >= hangs_until_; }
  bool suspended() const { return now() < suspended_until_; }
  // The very moment in which it wakes is its guard's, whatever else happens in it.
  bool stands_still() const { return suspended_until_ > 0 && now() <= suspended_until_; }
  bool accepts_writes() const { return accepts_; }
  const std::shared_ptr<Volume>& volume() const { return volume_; }
  MemberReport describe();
  // It would take the lease in this epoch for its own, having heard of no later one.
  bool takes_for_own(Epoch epoch) const;
  std::string halted() const;  // why it waits for a person; empty: it doesn't

  // The database's side.
  bool streams_from(const Agent& primary) const;
  void client_writes();
  bool routed_to() const;
  void handed_everything(const Agent& primary);

 private:
  struct Job {
    std::string name;
    uint64_t token = 0;
    bool gives_way = false;
  };
  struct Comparison {
    Epoch epoch;
    uint64_t data_life = 0;
    Lineage lineage = Lineage::kUnknown;
    bool foreign = false;
    uint64_t primary_end = 0;
    bool rewind_hopeless = false;
  };

  Micros now() const { return cluster_.network.now(); }
  BootTime clock() const;
  void note(const std::string& text) { cluster_.ledger.note(who() + " " + text); }
  void in_this_life(Micros delay, std::function<void()> effect);  // runs when awake, and only in this life of the agent
  void tick();

  // What it knows of the API.
  void arrived(const Arrival& arrival);
  bool proves(const Arrival& arrival, Micros learned) const;
  void note_lease(const LeaseObject& lease, int64_t version, bool newer_proven);
  MemberView view();
  void act(const MemberAction& action);

  // The lease keeper.
  bool lease_names_me() const;
  void keeper_turn();
  void write_lease(LeaseRecord record, bool acquisition);
  void written(uint64_t request, bool ok, const Stored<LeaseObject>& lease, Epoch epoch, const LeaseTiming& timing,
               BootTime sent, bool acquisition);
  void reread();
  void take(const TakeLease& action);
  void release(Cause cause);

  // Jobs on the database.
  void job(std::string name, Micros least_ms, Micros most_ms, std::function<void()> effect, bool gives_way = false);
  void kill_database(bool unasked);
  void start_database(ProcessState state);
  void recovered(uint64_t life, Epoch epoch, bool promotion);
  bool may_start_primary();
  void compare(const std::string& with, Epoch epoch);
  void copy_from(const std::string& from, const EpochHistory& epochs, bool rewind);
  void open();
  void perform(const HandOver& action);
  void perform(const Initialize& action);
  void perform(const StartPrimary& action);
  void perform(const Promote& action);
  void perform(const StopReceiver& action);
  void perform(const StartReplica& action);
  void perform(const Follow& action);
  void perform(const StopReplica& action);
  void perform(const Remember& action);
  void perform(const PutRestored& action);
  bool has_prepared() const;
  void exchange(Epoch epoch);
  void guard(uint64_t process_life);
  Agent* reach(const std::string& endpoint) const;

  Cluster& cluster_;
  const std::string endpoint_;
  std::string address_;
  int pod_;
  std::shared_ptr<Volume> volume_;
  double rate_ = 1.0;  // its clock's
  Micros clock_offset_ = 0;
  bool ghost_ = false;
  Micros suspended_until_ = 0, hangs_until_ = 0, disk_hangs_until_ = 0;
  Micros hang_promotions_until_ = 0, fail_promotions_until_ = 0;

  // One life of the agent.
  bool alive_ = false;
  bool stopping_ = false;
  bool deleted_ = false;
  std::string instance_;
  int life_ = 0;
  Stored<LinkObject> link_;
  Micros link_learned_ = 0, lease_learned_ = 0;
  LeaseObservation observation_{LeaseTiming{}};
  LeaseTiming timing_;
  int64_t lease_version_ = 0;
  bool lease_went_back_ = false;
  std::chrono::milliseconds holder_duration_{0};
  std::optional<LeaseTenure> tenure_;
  struct Release {
    Cause cause;
    Micros until;
  };
  uint64_t request_ = 0;  // under way; 0: none
  bool ordered_ = false;  // an order, not a renewal, is being carried out
  bool mark_ = false;
  std::optional<Release> releasing_;
  Micros retry_at_ = 0;
  uint64_t tokens_ = 0;

  // The database, as the agent has it.
  ProcessState process_ = ProcessState::kStopped;
  Micros process_since_ = 0;
  bool measured_ = false;    // the files were read in this life
  bool accepts_ = false;     // the database does, whoever knows of it
  bool opened_ = false;      // the agent saw that it does, and let clients in
  bool clients_in_ = false;  // it began again where Services select it already, or was routed to
  Epoch opened_in_;          // the last epoch in which the agent let clients in
  bool died_ = false;
  bool receiver_stopped_ = true;
  std::string following_;
  std::optional<uint64_t> final_position_;
  std::optional<Comparison> comparison_;
  uint64_t data_life_ = 0, process_life_ = 0;
  Job job_;
  bool halves_data_ = false;  // the job is a rewind
  DurabilityRule in_force_;
  std::optional<HaltReason> halted_;
  std::string last_action_;
};

}  // namespace twinspan::simulation
