// Data that take the place of others on one volume: what was restored lies whole in DATADIR/restoring, then it is
// PGDATA, and what was there before is kept in DATADIR/before/NAME until its time has come. Each exchange is written
// down before it begins (DATADIR/exchange.json) and is gone on with by whoever comes after: there is no moment in which
// a half of it counts. What is remembered of the data (memory_file.hpp) changes in the same step.
#pragma once
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/result.hpp"
#include "failover/types.hpp"

namespace twinspan::worker {

struct PreparedData {
  std::string restore;  // the name of its order (status.restore.name)
  std::string reached;  // the position that recovery came to
  bool operator==(const PreparedData&) const = default;
};

// What is known of data that were put aside.
struct KeptData {
  std::string restore;    // whose data took their place
  WallTime until{};       // and how long they are kept
  bool restored = false;  // they are what was restored: the ones of before were brought back
};

// Any thread.
class InPlace {
 public:
  explicit InPlace(std::string data_dir) : data_dir_(std::move(data_dir)) {}

  std::string restoring() const { return data_dir_ + "/restoring"; }
  // Of what is restored by this order: no other data ever lie there.
  std::string tablespaces(const std::string& restore) const { return data_dir_ + "/tablespaces/restored-" + restore; }

  // Whole data that wait beside; nullopt: there are none, or they are being exchanged.
  std::optional<PreparedData> prepared() const;
  // Says so while they wait, and not once an exchange has begun; `back`: of what was put aside by that order.
  void while_waiting(const std::string& restore, bool back, const std::function<void(const PreparedData&)>& say) const;
  // They are whole: PGDATA of the restoring place is a primary's that stopped cleanly.
  Status mark_prepared(const PreparedData& data);
  // What waits beside, whole or not, and its tablespaces. Refused while an exchange is under way. One thread, with
  // remove_kept.
  Status forget_prepared(const std::string& restore);
  bool has_leftovers() const;  // that forget_prepared removes

  std::optional<KeptData> kept(const std::string& restore) const;
  std::vector<std::string> all_kept() const;  // their PGDATA
  // Those whose time has come, with their tablespaces, but for those of `wanted`. The names of what was removed.
  std::vector<std::string> remove_kept(WallTime now, const std::string& wanted);

  struct Order {
    std::string restore;
    Epoch epoch;       // whose primary's the data are from now on
    WallTime until{};  // how long the others are kept
    bool bring_back = false;
  };
  // Only while no process of the database exists. What fails is gone on with by roll_forward.
  Status exchange(const Order& order);
  // An exchange was begun and is not over: nothing may be done to the data before it is. Waits for nobody.
  bool half_done() const;
  // Of an agent that begins, before it reads its memory: nothing where nothing was begun.
  Status roll_forward();

  // For tests: called before each step of an exchange; an error ends it there.
  std::function<Status()> before_step;

 private:
  std::optional<PreparedData> waiting() const REQUIRES(mutex_);
  std::optional<KeptData> put_aside(const std::string& restore) const REQUIRES(mutex_);
  Status carry_out() REQUIRES(mutex_);
  std::vector<std::string> tablespaces_of(const std::string& pgdata) const REQUIRES(mutex_);
  Status remove_put_away();
  std::string removing() const { return data_dir_ + "/removing"; }
  Status step() const { return before_step ? before_step() : Status{}; }
  std::string intent() const { return data_dir_ + "/exchange.json"; }
  std::string place_of(const std::string& restore) const { return data_dir_ + "/before/" + restore; }

  const std::string data_dir_;
  mutable Mutex mutex_;
};

}  // namespace twinspan::worker
