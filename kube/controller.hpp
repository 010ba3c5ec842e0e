// A reconcile loop: takes keys, calls reconcile, requeues by its answer. Metrics: controller_runtime_reconcile_total,
// _errors_total, _time_seconds, _terminal_reconcile_errors_total, controller_runtime_active_workers (the names
// controller-runtime users know).
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "kube/queue.hpp"

namespace twinspan::kube {

struct Requeue {
  std::optional<std::chrono::milliseconds> delay;  // nullopt: when something changes
  // What of it could not be done, while the rest was. Retried as any error, yet looked at no later than `delay`: one
  // refused write keeps nobody from seeing that time has passed.
  std::optional<Error> failed{};
  static Requeue none() { return {}; }
  static Requeue after(std::chrono::milliseconds time) { return {time, {}}; }
};

struct ControllerConfig {
  // What is invalid stays so until somebody changes something, which is news. Yet an API server may refuse for a reason
  // of the moment (an admission rule that is corrected is no news of ours): it is tried again for as long as this, by
  // the clock, since news may bring it back many times a second. Then it is let be, and tried once with whatever brings
  // it back, at the latest after `look_again`. Another reason begins anew.
  std::chrono::milliseconds patience_with_invalid{90'000};
  std::chrono::milliseconds look_again{300'000};
  std::chrono::milliseconds say_again{60'000};  // the same words of the same object are not logged more often
};

// An error is retried with back-off; kConflict too, without being logged as one (the plan is dropped, the next read
// decides).
using Reconcile = std::function<Result<Requeue>(const Key&, std::stop_token)>;

class Controller {
 public:
  Controller(std::string name, int workers, const Clock& clock, Reconcile reconcile, ControllerConfig config = {});
  ~Controller();  // stops
  WorkQueue& queue();
  void start();
  void stop();  // waits for reconciles under way, whose stop token is set

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::kube
