#include "kube/events.hpp"

#include <fmt/format.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>

#include "core/guarded.hpp"
#include "core/log.hpp"
#include "core/role_thread.hpp"

namespace twinspan::kube {
namespace {

constexpr size_t kQueued = 512;  // beyond it the newest are dropped
constexpr size_t kRemembered = 2048;
constexpr size_t kMessageBytes = 1024;  // the API server's limit
constexpr std::chrono::minutes kRepeats{10};
constexpr std::chrono::seconds kFarewell{1};

struct Occurrence {
  ObjectRef object;
  std::string type, reason, message;
  WallTime time;
};

struct Series {  // one Event object in the API
  Key key;
  int64_t count = 1;
  WallTime last;
};

}  // namespace

struct EventRecorder::Impl {
  void record(const ObjectRef& object, const char* type, std::string_view reason, std::string message) {
    if (message.size() > kMessageBytes) message.resize(kMessageBytes);
    {
      MutexLock lock(mutex);
      if (queue.size() >= kQueued) {
        if (dropped++ == 0) log::warn("events are dropped: the API server does not take them fast enough", {});
        return;
      }
      queue.push_back({object, type, std::string(reason), std::move(message), clock.wall_now()});
    }
    waker.notify_all();
  }

  void run(const std::stop_token& stop) {
    MutexLock lock(mutex);
    while (!stop.stop_requested()) {
      waker.wait(lock, stop, [this]() REQUIRES(mutex) { return !queue.empty(); });
      if (queue.empty()) break;
      const Occurrence now =
          queue.front();  // stays in the queue until it is written: the destructor waits for an empty one
      lock.unlock();
      write(now, stop);
      lock.lock();
      queue.pop_front();
      waker.notify_all();
    }
  }

  void write(const Occurrence& now, const std::stop_token& stop) {
    const std::string identity = fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}", now.object.kind, now.object.ns,
                                             now.object.name, now.object.uid, now.type, now.reason, now.message);
    const auto found = series.find(identity);
    if (found != series.end() && now.time - found->second.last < kRepeats) {
      found->second.last = now.time;
      const Json patch = {{"count", ++found->second.count}, {"lastTimestamp", to_rfc3339(now.time)}};
      const auto done = client.merge_patch(kCoreEvents, found->second.key, patch, Subresource::kNone, stop);
      if (done || done.error().code != Code::kNotFound) return report(done);
    }
    if (series.size() >= kRemembered)
      std::erase_if(series, [&](const auto& entry) { return now.time - entry.second.last >= kRepeats; });
    if (series.size() >= kRemembered) series.clear();
    const Json event = describe(now);
    const auto done = client.create(kCoreEvents, event, stop);
    if (done) {
      series[identity] = {{event["metadata"]["namespace"], event["metadata"]["name"]}, 1, now.time};
    } else {
      series.erase(identity);
    }
    report(done);
  }

  Json describe(const Occurrence& now) {
    const std::string ns = now.object.ns.empty() ? "default" : now.object.ns, time = to_rfc3339(now.time);
    // As client-go names them: the object's name and a number that does not come twice.
    const std::string name =
        fmt::format("{}.{:x}{:04x}", now.object.name, now.time.time_since_epoch().count(), ++number & 0xffff);
    Json event = {{"apiVersion", "v1"},           {"kind", "Event"},        {"type", now.type},
                  {"reason", now.reason},         {"message", now.message}, {"count", 1},
                  {"firstTimestamp", time},       {"lastTimestamp", time},  {"reportingComponent", component},
                  {"reportingInstance", instance}};
    event["metadata"] = {{"name", name}, {"namespace", ns}};
    event["source"] = {{"component", component}};
    Json& object = event["involvedObject"] = {
        {"apiVersion", now.object.api_version}, {"kind", now.object.kind}, {"name", now.object.name}};
    if (!now.object.ns.empty()) object["namespace"] = now.object.ns;
    if (!now.object.uid.empty()) object["uid"] = now.object.uid;
    return event;
  }

  static void report(const Result<Json>& done) {
    // The namespace is going, and with it whoever would read of it.
    if (!done && done.error().code == Code::kNotFound) return;
    if (!done && done.error().code != Code::kCancelled)
      log::warn("event not written", {{"error", done.error().message}});
  }

  Client& client;
  const Clock& clock;
  const std::string component, instance;
  Mutex mutex{};
  std::condition_variable_any waker{};
  std::deque<Occurrence> queue GUARDED_BY(mutex){};
  size_t dropped GUARDED_BY(mutex) = 0;
  std::map<std::string, Series> series{};  // only the thread's
  unsigned number = 0;
  RoleThread thread{"events"};
};

EventRecorder::EventRecorder(Client& client, const Clock& clock, std::string component, std::string instance)
    : impl_(new Impl{
          .client = client, .clock = clock, .component = std::move(component), .instance = std::move(instance)}) {
  impl_->thread.start([impl = impl_.get()](const std::stop_token& stop) { impl->run(stop); });
}

EventRecorder::~EventRecorder() {
  {
    MutexLock lock(impl_->mutex);
    impl_->waker.wait_for(lock, kFarewell, [this]() REQUIRES(impl_->mutex) { return impl_->queue.empty(); });
  }
  impl_->thread.stop();  // a request under way is given up
}

void EventRecorder::normal(const ObjectRef& object, std::string_view reason, std::string message) {
  impl_->record(object, "Normal", reason, std::move(message));
}
void EventRecorder::warning(const ObjectRef& object, std::string_view reason, std::string message) {
  impl_->record(object, "Warning", reason, std::move(message));
}

}  // namespace twinspan::kube
