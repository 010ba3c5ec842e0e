// The replication slots of a member's direct replicas.
#pragma once
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "engines/postgres/observe.hpp"
#include "engines/postgres/sql.hpp"

namespace twinspan::postgres {

struct SlotPlan {
  std::vector<std::string> drop, create;
  bool makes_room = false;  // log is let go that replicas would still need: a checkpoint frees it now
  bool empty() const { return drop.empty() && create.empty(); }
};

// What is missing of `wanted` is made; one of ours that isn't wanted goes once nobody uses it; one whose WAL is lost is
// made anew. While the volume is nearly full (`critical`), slots of replicas that are away go, and none is made: they
// are cloned anew once they are back, which is better than a primary that dies of a full disk. Pure.
SlotPlan plan_slots(const std::vector<Observation::Slot>& seen, const std::vector<std::string>& wanted, bool critical);
Status carry_out(Session& session, const SlotPlan& plan, const std::stop_token& stop = {});

}  // namespace twinspan::postgres
