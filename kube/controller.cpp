#include "kube/controller.hpp"

#include "core/log.hpp"
#include "kube/metrics.hpp"

namespace twinspan::kube {

struct Controller::Impl {
  Impl(std::string given, int count, const Clock& time, Reconcile call)
      : name(std::move(given)),
        workers(count),
        clock(time),
        reconcile(std::move(call)),
        queue({.name = name}, time),
        errors(metrics().reconcile_errors_total.Add({{"controller", name}})),
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

  void settle(const Key& key, const Result<Requeue>& outcome, const std::stop_token& stop) {
    if (outcome) {
      queue.forget(key);
      if (outcome->delay) queue.add_after(key, *outcome->delay);
      (outcome->delay ? requeued_after : succeeded).Increment();
      return;
    }
    const Error& error = outcome.error();
    if (error.code == Code::kCancelled && stop.stop_requested()) return;
    queue.retry(key);
    if (error.code == Code::kConflict) {
      requeued.Increment();
      log::debug("reconcile again", {{"controller", name}, {"object", key.str()}, {"error", error.message}});
      return;
    }
    failed.Increment();
    errors.Increment();
    log::error("reconcile failed", {{"controller", name},
                                    {"namespace", key.ns},
                                    {"object", key.name},
                                    {"reason", to_string(error.code)},
                                    {"error", error.message}});
  }

  const std::string name;
  const int workers;
  const Clock& clock;
  const Reconcile reconcile;
  WorkQueue queue;
  prometheus::Counter& errors;
  prometheus::Histogram& time_seconds;
  prometheus::Gauge& active;
  prometheus::Counter& succeeded;
  prometheus::Counter& failed;
  prometheus::Counter& requeued;
  prometheus::Counter& requeued_after;
  std::vector<std::jthread> threads;
};

Controller::Controller(std::string name, int workers, const Clock& clock, Reconcile reconcile)
    : impl_(std::make_unique<Impl>(std::move(name), workers, clock, std::move(reconcile))) {}
Controller::~Controller() { stop(); }
WorkQueue& Controller::queue() { return impl_->queue; }

void Controller::start() {
  for (int i = 0; i < impl_->workers; ++i)
    impl_->threads.emplace_back([impl = impl_.get()](const std::stop_token& stop) { impl->work(stop); });
}

void Controller::stop() {
  for (std::jthread& thread : impl_->threads) thread.request_stop();
  impl_->threads.clear();  // joins
}

}  // namespace twinspan::kube
