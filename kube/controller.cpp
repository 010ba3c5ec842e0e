#include "kube/controller.hpp"

#include <map>

#include "core/guarded.hpp"
#include "core/log.hpp"
#include "core/role_thread.hpp"
#include "kube/metrics.hpp"

namespace twinspan::kube {

struct Controller::Impl {
  Impl(std::string given, int count, const Clock& time, Reconcile call, ControllerConfig asked)
      : name(std::move(given)),
        workers(count),
        clock(time),
        reconcile(std::move(call)),
        config(asked),
        queue({.name = name}, time),
        errors(metrics().reconcile_errors_total.Add({{"controller", name}})),
        terminal(metrics().reconcile_terminal_errors_total.Add({{"controller", name}})),
        time_seconds(metrics().reconcile_time_seconds.Add({{"controller", name}}, seconds_buckets())),
        active(metrics().active_workers.Add({{"controller", name}})),
        succeeded(result("success")),
        failed(result("error")),
        requeued(result("requeue")),
        requeued_after(result("requeue_after")) {
    metrics().max_concurrent_reconciles.Add({{"controller", name}}).Set(workers);
  }
  prometheus::Counter& result(const char* value) {
    return metrics().reconcile_total.Add({{"controller", name}, {"result", value}});
  }

  void work(const std::stop_token& stop) {
    while (const std::optional<Key> key = queue.take(stop)) {
      active.Increment();
      const BootTime start = clock.boot_now();
      settle(*key, run(*key, stop), stop);
      time_seconds.Observe(std::chrono::duration<double>(clock.boot_now() - start).count());
      queue.done(*key);
      active.Decrement();
    }
  }

  Result<Requeue> run(const Key& key, const std::stop_token& stop) {
    try {
      return reconcile(key, stop);
    } catch (const std::exception& error) {
      return fail(Code::kInternal, std::string("exception: ") + error.what());
    }
  }

  // What is known of an object that was last found invalid.
  struct Refusal {
    std::string words;
    BootTime since{}, said{};
  };
  struct Judged {
    bool given_up = false, worth_saying = true;
  };

  // An outage that came before says nothing of what is invalid. What was given up stays so until it is not invalid any
  // more, or for another reason.
  Judged judge(const Key& key, const Error& error) {
    if (error.code == Code::kConflict) return {};
    MutexLock lock(refusals_mutex);
    if (error.code != Code::kInvalid) return refusals.erase(key), Judged{};
    const BootTime now = clock.boot_now();
    const auto [it, first] = refusals.try_emplace(key, Refusal{error.message, now, now});
    Refusal& known = it->second;
    if (!first && known.words != error.message) known = {error.message, now, now};
    Judged judged{now - known.since >= config.patience_with_invalid, first || known.since == now};
    if (now - known.said >= config.say_again) judged.worth_saying = true;
    if (judged.worth_saying) known.said = now;
    return judged;
  }

  void settle(const Key& key, const Result<Requeue>& outcome, const std::stop_token& stop) {
    if (outcome && !outcome->failed) {
      queue.forget(key);
      {
        MutexLock lock(refusals_mutex);
        refusals.erase(key);
      }
      if (outcome->delay) queue.add_after(key, *outcome->delay);
      (outcome->delay ? requeued_after : succeeded).Increment();
      return;
    }
    const Error& error = outcome ? *outcome->failed : outcome.error();
    if (error.code == Code::kCancelled && stop.stop_requested()) return;
    const Judged judged = judge(key, error);
    if (judged.given_up) {
      queue.forget(key);
      queue.add_after(key, config.look_again);
    } else {
      queue.retry(key);
    }
    if (outcome && outcome->delay) queue.add_after(key, *outcome->delay);
    if (error.code == Code::kConflict) {
      requeued.Increment();
      log::debug("reconcile again", {{"controller", name}, {"object", key.str()}, {"error", error.message}});
      return;
    }
    failed.Increment();
    errors.Increment();
    if (judged.given_up) terminal.Increment();
    if (!judged.worth_saying) return;
    log::error(
        judged.given_up ? "reconcile failed, and waits until something changes, or some minutes" : "reconcile failed",
        {{"controller", name},
         {"namespace", key.ns},
         {"object", key.name},
         {"reason", to_string(error.code)},
         {"error", error.message}});
  }

  const std::string name;
  const int workers;
  const Clock& clock;
  const Reconcile reconcile;
  const ControllerConfig config;
  WorkQueue queue;
  Mutex refusals_mutex;
  std::map<Key, Refusal> refusals GUARDED_BY(refusals_mutex);
  prometheus::Counter& errors;
  prometheus::Counter& terminal;
  prometheus::Histogram& time_seconds;
  prometheus::Gauge& active;
  prometheus::Counter& succeeded;
  prometheus::Counter& failed;
  prometheus::Counter& requeued;
  prometheus::Counter& requeued_after;
  std::vector<RoleThread> threads;
};

Controller::Controller(std::string name, int workers, const Clock& clock, Reconcile reconcile, ControllerConfig config)
    : impl_(std::make_unique<Impl>(std::move(name), workers, clock, std::move(reconcile), config)) {}
Controller::~Controller() { stop(); }
WorkQueue& Controller::queue() { return impl_->queue; }

void Controller::start() {
  for (int i = 0; i < impl_->workers; ++i)
    impl_->threads.emplace_back(RoleName("reconciler"),
                                [impl = impl_.get()](const std::stop_token& stop) { impl->work(stop); });
}

void Controller::stop() {
  for (RoleThread& thread : impl_->threads) thread.request_stop();
  impl_->threads.clear();  // joins
}

}  // namespace twinspan::kube
