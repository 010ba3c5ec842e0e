// Makes things go wrong: what happens to machines and to the API server, and what people do.
#pragma once
#include <memory>
#include <vector>

#include "operator.hpp"

namespace twinspan::simulation {

class Misfortune {
 public:
  Misfortune(Cluster& cluster, std::vector<std::unique_ptr<Operator>>& operators);

  void begin();
  void mend();
  void apply_what_is_missing();  // as GitOps does, from time to time
  void decide_for_people();      // somebody reads what an operator asks for, and does it

 private:
  Network& network() { return cluster_.network; }
  void note(const std::string& text) { cluster_.ledger.note(text); }
  Micros some(int64_t least_ms, int64_t most_ms) { return network().uniform(least_ms, most_ms) * kMs; }
  bool rough() const { return cluster_.network.now() < cluster_.options.chaos; }
  void draw();
  void next();
  void happen(Fault fault);
  Agent& target();

  // Machines, disks, network, API server (machines.cpp).
  bool to_member(Fault fault, Agent& one);
  bool to_network(Fault fault, Agent& one);
  void pod_elsewhere(Agent& one);
  void away(Micros duration, bool restarted);
  void etcd_restored();
  bool seems_present(const ApiState& backup) const;
  void stale_cache();

  // People (people.cpp).
  void by_people(Fault fault);
  template <class Edit>
  void edit_policy(Edit edit);
  template <class Edit>
  void edit_link(Edit edit);
  void set_mode(Mode mode);
  void change_durability();
  void delete_policy();
  void restore_status();
  void free_lease();
  void edit_lease();
  void apply_again();
  void restore();
  void applied();
  void begin_again(Agent& one);

  Cluster& cluster_;
  std::vector<std::unique_ptr<Operator>>& operators_;
  Faults drawn_;
  std::vector<Fault> kinds_;
  PolicyObject policy_;  // as people want it
  LinkObject link_;
  int pods_ = 1000;
  int links_ = 1;
  int restores_ = 0;
  bool applying_ = false;
  Micros decided_at_ = 0;
};

}  // namespace twinspan::simulation
