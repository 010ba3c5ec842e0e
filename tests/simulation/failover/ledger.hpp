// What must hold, whatever happens: the truth about every volume and every acknowledged write, which no member knows.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "failover/log/member.hpp"
#include "history.hpp"
#include "world.hpp"

namespace twinspan::simulation {

// What a person had restored beside the data.
struct Prepared {
  std::string name;
  Log log;
};

// A disk. It outlives agents and pods, and what is on it outlives the API's objects.
struct Volume {
  int id = 0;
  bool lost = false;
  bool out_of_reach = false;  // its pod was given up on, and another one stands for it
  DataShape shape = DataShape::kNone;
  Log log;
  uint32_t highest_number = 0;  // of a timeline whose history file is here
  MemberMemory memory;
  std::optional<Prepared> prepared;
  Line restored = -1;  // the timeline that restored data here began, until clients get at them
};

// One that accepts writes now.
struct Writer {
  std::string who;              // endpoint and instance
  bool standing_still = false;  // its machine is suspended
};

class Ledger {
 public:
  Ledger(Network& network, const Options& options) : network_(network), options_(options) {}

  void note(const std::string& text);
  void violate(const std::string& what, bool unsafe = true);

  std::shared_ptr<Volume> new_volume();
  // Somebody else has all that was promised: what a durability of one replica survives.
  bool can_spare(const Volume& volume) const;

  // A primary begins to accept writes, with the log it has by then. `chosen`: who was elected to take over from it
  // meanwhile. What it writes until it hears of that is lost like anything else that it alone had, unless it stops
  // cleanly and says how far it went.
  void opened(const std::string& who, Epoch epoch, const Volume& volume, const std::string& chosen);
  // What a person gave up by a restore is given up once clients get at its data; from then on nobody goes back behind
  // it.
  void serves(const std::string& who, Volume& volume);
  void ended_cleanly() { loss_excused_.clear(); }
  void check_single(const std::vector<Writer>& writers);
  void acknowledged(const Volume& volume, bool by_replicas);
  void streamed(const std::string& from, const std::string& to, const Log& source, const Log& replica);
  // An election among replicas of which none confirmed: its primary may lack what only the last one had.
  // Where the lease could not tell who that was, only when its volume is lost or out of reach.
  void elected_without_replicas(const Assignment& assignment, bool lease_told);
  // An operator assigns: a restore is the primary's own, and whoever is chosen otherwise fails over.
  void assigned(const Assignment& assignment);
  void person_decided(const std::string& endpoint);  // whatever is lost by it, until that one accepts writes

  Outcome& outcome() { return outcome_; }
  const Outcome& outcome() const { return outcome_; }

 private:
  using Promises = std::map<Line, uint64_t>;  // up to which position, of each timeline
  // What a person gave up by a restore is given up once its data accept writes; from then on nobody goes back behind
  void check_restored(const std::string& who, const Volume& volume, bool decided);
  void check_kept(const std::string& who, const Volume& volume, Promises& promises, bool excused);
  bool somewhere(Line line, uint64_t position) const;

  Network& network_;
  const Options& options_;
  std::vector<std::shared_ptr<Volume>> volumes_;
  Promises promised_;                   // replicas had confirmed it
  Promises unreplicated_;               // the primary alone had it
  std::set<std::string> loss_excused_;  // endpoints, since somebody last began to accept writes
  std::set<std::string> decided_for_;   // endpoints
  struct Wrote {
    std::string who;
    int volume = 0;
  };
  std::map<int64_t, Wrote> writers_;  // by epoch: who accepted writes in it
  int last_writer_ = -1;              // its volume
  Line restored_ = -1;                // that everybody who accepts writes has to have in its past; -1: none
  int64_t highest_epoch_ = 0;
  Outcome outcome_;
};

}  // namespace twinspan::simulation
