// An operator: caches of each kind of object apart, reports that it pulls, and the failover controller's turn. Mirrors
// controllers/policy and what of controllers/link the failover depends on.
#pragma once
#include <map>
#include <string>

#include "agent.hpp"
#include "failover/last_known.hpp"

namespace twinspan::simulation {

class Operator {
 public:
  Operator(Cluster& cluster, std::string address);

  void start();  // also again: everything forgotten
  void suspend(Micros duration) { suspended_until_ = std::max(suspended_until_, now() + duration); }
  void mend() { suspended_until_ = std::min(suspended_until_, now()); }

  const std::string& address() const { return address_; }
  // What it says now, and since when.
  const Decision& said() const { return said_; }
  Micros said_since() const { return said_since_; }

 private:
  struct Heard {
    int pod = -1;
    std::optional<MemberReport> report;
    Micros asked_at = -1;    // of the report
    Micros received_at = 0;  // without a report: since when this pod is watched
    int failures = 0;
    uint64_t asking = 0;
  };

  Micros now() const { return cluster_.network.now(); }
  template <class Effect>
  void in_this_life(Micros delay, Effect effect);
  void tick();
  void ask(const std::string& endpoint);
  void arrived(const Arrival& arrival);
  template <class T>
  bool note(Stored<T>& known, Micros& learned, const Stored<T>& arrived, bool proven);
  void note_lease(const Stored<LeaseObject>& lease, bool proven);
  void remember_position();

  void step(const LeaseObject* confirmed = nullptr, Epoch known_then = {});
  FailoverRules rules() const;
  FailoverSeen gather(const LeaseObject* confirmed, Epoch known_then);
  MemberSeen sight_of(const std::string& endpoint) const;
  PolicyObject next_status(const FailoverSeen& seen, const Decision& decision) const;
  void carry_out(const FailoverSeen& seen, const Decision& decision);
  void write_assignment(const Assignment& assignment, bool lease_told);
  void confirm_lease();
  void keep_house();  // the link controller: makes what is missing, writes down how far everybody is
  template <class AtServer, class Then>
  void write(AtServer at_server, Then then, bool decide_again = true);

  Cluster& cluster_;
  const std::string address_;
  int life_ = 0;
  Micros suspended_until_ = 0;
  Stored<LinkObject> link_;
  Stored<PolicyObject> policy_;
  Stored<LeaseObject> lease_;
  Stored<Claims> claims_;
  Micros link_learned_ = 0, policy_learned_ = 0, lease_learned_ = 0, claims_learned_ = 0;
  Micros lease_since_ = 0, holder_since_ = 0;
  LastKnown primary_;
  std::map<std::string, Heard> heard_;
  uint64_t tokens_ = 0;
  uint64_t writing_ = 0;
  Decision said_;
  Micros said_since_ = 0;
};

}  // namespace twinspan::simulation
