#include "failover/report.hpp"

namespace twinspan {

std::string_view to_string(TrialOutcome outcome) {
  switch (outcome) {
    case TrialOutcome::kUnderWay: return "UnderWay";
    case TrialOutcome::kRuns: return "Runs";
    case TrialOutcome::kUndone: return "Undone";
  }
  return "UnderWay";
}

Epoch remembered_epoch(const MemberReport& report) {
  const Epoch held = report.holds_lease ? report.epoch : Epoch{0};
  return report.memory ? std::max(held, report.memory->epoch_seen) : held;
}

}  // namespace twinspan
