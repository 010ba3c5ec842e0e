// The API server: three objects with versions, conditional writes, watches that lag and lose, and an etcd that may be
// set back.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "failover/log/decide.hpp"
#include "network.hpp"

namespace twinspan::simulation {

struct LinkObject {
  int uid = 0;
  std::vector<std::string> endpoints;  // the source first
  DurabilityRule durability;
  std::chrono::milliseconds lease_duration{5000};  // that goes with the assignment
  std::optional<Assignment> assignment;
  std::optional<PromoteWord> word;
  std::string restore, restore_at;  // what was restored may take the place of this endpoint's data
};

struct PolicyObject {
  FailoverRules rules;  // its spec; durability is the link's
  std::optional<Transition> current;
  Micros step_since = 0;
  Micros stable_since = 0;
  std::string desired_reached;
};

struct LeaseObject {
  LeaseRecord record;
  std::chrono::milliseconds duration{0};
  int64_t created = 0;  // in whole seconds, as Kubernetes tells it
};

struct Claim {  // of one endpoint's volume
  int link_uid = 0;
  int64_t created = 0;
};
using Claims = std::map<std::string, Claim>;

enum class Kind { kLink, kPolicy, kLease, kClaims };

template <class T>
struct Stored {
  int64_t version = 0;              // of its last change, also of its deletion
  std::shared_ptr<const T> object;  // nullptr: there is none
};

struct ApiState {
  int64_t version = 0;
  Stored<LinkObject> link;
  Stored<PolicyObject> policy;
  Stored<LeaseObject> lease;
  Stored<Claims> claims;
};

// How one kind of object reaches one reader.
struct Arrival {
  Kind kind;
  ApiState state;
  bool listed = false;  // answers a list, not a watch
  Micros asked_at = 0;  // when that list was sent
};

class ApiServer {
 public:
  using Reader = std::function<void(const Arrival&)>;

  explicit ApiServer(Network& network) : network_(network) {}

  bool up() const { return up_; }
  const ApiState& state() const { return state_; }
  void add_reader(const std::string& address, std::vector<Kind> kinds, Reader reader);
  void remove_reader(const std::string& address);
  void list(const std::string& address, Kind kind);  // the reader's own request for the present state

  // A request of `from` and its answer, both of which can be lost. What was under way when the server ended is.
  void request(const std::string& from, std::function<void()> at_server);
  void answer(const std::string& to, std::function<void()> at_client);

  // At the server: true where the precondition held.
  bool put(int64_t precondition, LinkObject link);
  bool put(int64_t precondition, PolicyObject policy);
  bool put(int64_t precondition, LeaseObject lease);
  void set_claim(const std::string& endpoint, Claim claim);
  void remove(Kind kind);

  void set_up(bool up, bool restarted);
  void lag(const std::string& address, Kind kind, Micros behind, Micros duration);
  void take_snapshot() { snapshots_.push_back(state_); }
  bool restore(size_t snapshot);  // only while down
  const ApiState& snapshot(size_t which) const { return snapshots_[which]; }
  size_t snapshots() const { return snapshots_.size(); }
  bool was_restored() const { return restored_; }
  void mend();

 private:
  struct Subscriber {
    std::vector<Kind> kinds;
    Reader reader;
  };
  struct Lag {
    Micros behind = 0, until = 0;
  };
  void changed(Kind kind);
  void deliver(const std::string& address, Kind kind, bool listed, Micros asked_at);

  Network& network_;
  ApiState state_;
  std::vector<ApiState> snapshots_;
  std::map<std::string, Subscriber> subscribers_;
  std::map<std::pair<std::string, Kind>, Lag> lags_;
  bool up_ = true;
  bool restored_ = false;
  int life_ = 0;  // of the server's processes: connections end with them
};

}  // namespace twinspan::simulation
