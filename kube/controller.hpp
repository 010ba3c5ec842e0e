// A reconcile loop: takes keys, calls reconcile, requeues by its answer. Metrics: controller_runtime_reconcile_total,
// _errors_total, _time_seconds, controller_runtime_active_workers (the names controller-runtime users know).
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "core/result.hpp"
#include "kube/queue.hpp"

namespace twinspan::kube {

struct Requeue {
  std::optional<std::chrono::milliseconds> delay;  // nullopt: when something changes
  static Requeue none() { return {}; }
  static Requeue after(std::chrono::milliseconds time) { return {time}; }
};

// An error is retried with back-off; kConflict too, without being logged as one (the plan is dropped, the next read
// decides).
using Reconcile = std::function<Result<Requeue>(const Key&, std::stop_token)>;

class Controller {
 public:
  Controller(std::string name, int workers, const Clock& clock, Reconcile reconcile);
  ~Controller();  // stops
  WorkQueue& queue();
  void start();
  void stop();  // waits for reconciles under way, whose stop token is set

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::kube
