#include "kube/reflector.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "core/wait.hpp"
#include "kube/backoff.hpp"
#include "kube/metrics.hpp"
#include "kube/object.hpp"

namespace twinspan::kube {
namespace {

using SteadyClock = std::chrono::steady_clock;

// A watch that ends this soon without having brought anything was no watch (client-go: "very short watch").
constexpr std::chrono::seconds kShortest{1};

// The version we ask for is too new for this API server's cache: it is behind, or etcd was restored from a backup.
bool too_large(const Error& error) { return error.message.find("Too large resource version") != std::string::npos; }

}  // namespace

Reflector::Reflector(Client& client, const Resource& resource, ReflectorOptions options, ReflectorSink& sink)
    : client_(client), resource_(resource), options_(std::move(options)), sink_(sink) {}

Reflector::~Reflector() { stop(); }

void Reflector::start() {
  thread_.start([this](const std::stop_token& stop) { run(stop); });
}

void Reflector::stop() { thread_.stop(); }

void Reflector::connected(bool now) {
  if (told_ == now) return;
  told_ = now;
  if (options_.on_connection) options_.on_connection(now);
}

// A server whose data were restored from an older backup answers a watch at a version it has yet to reach with nothing
// at all, perhaps for hours. What a quorum read says after that version was known can't be lower by any other cause.
bool Reflector::history_went_back(const std::stop_token& stop) {
  const uint64_t known = version_number(last_seen_);
  if (known == 0) return false;
  const ListOptions options{.label_selector = options_.label_selector, .field_selector = options_.field_selector};
  const auto present = client_.present_version(resource_, options_.ns, options, stop);
  if (!present || present->empty() || version_number(*present) >= known) return false;
  begin_history(*present);
  return true;
}

void Reflector::begin_history(const std::string& present) {
  const std::string plural(resource_.plural);
  log::warn("the API's history went back: it was restored from a backup; everything is read anew",
            {{"resource", plural}, {"known", last_seen_}, {"present", present}});
  metrics().watch_restarts_total.Add({{"resource", plural}, {"reason", "HistoryWentBack"}}).Increment();
  sink_.went_back();
  last_seen_.clear();
}

Status Reflector::list(const std::stop_token& stop) {
  // First at "0", then at what was last seen: answered from the API server's cache and never older than what we have.
  // Where that version is gone: the newest there is. Pages only where the answer doesn't come from the cache anyway.
  ListOptions options{.label_selector = options_.label_selector, .field_selector = options_.field_selector};
  options.resource_version = last_seen_;
  if (!last_seen_.empty() && last_seen_ != "0") options.page = 0;
  std::vector<Key> keys;
  uint64_t older_than = 0;  // the lowest version that the sink has of something that is listed as it was before
  options.known = [&](const ObjectHead& head) {
    const uint64_t version = version_number(head.version);
    if (!sink_.has(head.key, version)) return false;
    const uint64_t ours = sink_.version_of(head.key);
    if (ours > version) older_than = older_than == 0 ? ours : std::min(older_than, ours);
    keys.push_back(head.key);
    return true;
  };
  while (true) {
    keys.clear();
    older_than = 0;
    const auto version = client_.list(
        resource_, options_.ns, options,
        [&](Json&& item) {
          keys.push_back(key_of(item));
          sink_.upsert(std::move(item));
        },
        stop);
    // A list of a version holds what was written up to it. One that does not is of another history, which has come
    // beyond what was known of the former one.
    if (version && older_than > 0 && older_than <= version_number(*version)) {
      begin_history(*version);
      options.resource_version.clear();
      continue;
    }
    if (version) {
      sink_.retain(keys, version_number(*version));
      last_seen_ = *version;
      synced_ = true;
      return {};
    }
    const bool expired = version.error().code == Code::kGone || too_large(version.error());
    if (!expired) return std::unexpected(version.error());
    if (options.resource_version.empty()) {
      if (options.page == 0) return std::unexpected(version.error());
      options.page = 0;  // compacted between two pages: in one piece then
    }
    options.resource_version.clear();
  }
}

void Reflector::observe(WatchType type, Json&& object) {
  std::string version = resource_version_of(object);
  healthy_ = true;
  switch (type) {
    case WatchType::kAdded:
    case WatchType::kModified: sink_.upsert(std::move(object)); break;
    case WatchType::kDeleted: sink_.erase(key_of(object), version_number(version)); break;
    case WatchType::kBookmark: break;
  }
  if (!version.empty()) last_seen_ = std::move(version);
}

Status Reflector::watch(const std::stop_token& stop) {
  WatchOptions options{.label_selector = options_.label_selector, .field_selector = options_.field_selector};
  options.resource_version = last_seen_;
  options.timeout = std::chrono::duration_cast<std::chrono::seconds>(jittered(options_.watch_least, 1.0));
  options.on_open = [this] { connected(true); };
  options.known = [this](const ObjectHead& head) {
    if (!sink_.has(head.key, version_number(head.version))) return false;
    healthy_ = true;
    last_seen_ = head.version;
    return true;
  };
  healthy_ = brief_ = false;
  const auto start = SteadyClock::now();
  auto ended = client_.watch(
      resource_, options_.ns, options, [this](WatchType type, Json&& object) { observe(type, std::move(object)); },
      stop);
  if (ended && !healthy_ &&
      SteadyClock::now() - start < std::min<SteadyClock::duration>(kShortest, options.timeout / 2)) {
    brief_ = true;
    return fail(Code::kUnavailable, "the watch ended at once and brought nothing");
  }
  if (SteadyClock::now() - start >= options_.backoff_limit) healthy_ = true;
  return ended;
}

void Reflector::run(std::stop_token stop) {
  Backoff backoff(options_.backoff_initial, options_.backoff_limit);
  const std::string plural(resource_.plural);
  const auto pause = [&](const char* doing, const Error& error) {
    connected(false);
    const auto time = backoff.next();
    log::warn("watch interrupted", {{"resource", plural},
                                    {"doing", doing},
                                    {"reason", to_string(error.code)},
                                    {"error", error.message},
                                    {"again_ms", time.count()}});
    metrics()
        .watch_restarts_total.Add({{"resource", plural}, {"reason", std::string(to_string(error.code))}})
        .Increment();
    wait_for(time, stop);
  };
  bool relisted = false;  // without a healthy watch since
  while (!stop.stop_requested()) {
    history_went_back(stop);
    if (auto listed = list(stop); !listed) {
      if (!stop.stop_requested()) pause("list", listed.error());
      continue;
    }
    connected(true);
    for (bool again = false; !stop.stop_requested(); again = true) {
      if (again && history_went_back(stop)) break;
      const auto ended = watch(stop);
      if (stop.stop_requested()) return;
      if (healthy_) {
        backoff.reset();
        relisted = false;
      }
      if (ended) continue;  // its time was over
      if (ended.error().code == Code::kGone) {
        log::info("resource version compacted, listing again", {{"resource", plural}, {"version", last_seen_}});
        metrics().watch_restarts_total.Add({{"resource", plural}, {"reason", "Gone"}}).Increment();
        if (relisted)
          wait_for(backoff.next(), stop);  // once at once; a storm of them is no reason to storm the API server
        relisted = true;
        break;
      }
      pause("watch", ended.error());
      // Whoever was away may be back with another history, which only a list tells for certain.
      if (ended.error().code != Code::kThrottled && !brief_) break;
    }
  }
}

}  // namespace twinspan::kube
