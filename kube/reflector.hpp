// List and watch of one kind, for ever: pages, bookmarks, time-outs, 410, dropped streams, back-off, as
// client-go's reflector does it.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "core/result.hpp"
#include "core/role_thread.hpp"
#include "kube/client.hpp"
#include "kube/resource.hpp"

namespace twinspan::kube {

struct ReflectorOptions {
  std::string ns{};  // empty: all namespaces
  std::string label_selector{};
  std::string field_selector{};
  std::chrono::milliseconds backoff_initial{800};
  std::chrono::milliseconds backoff_limit{30000};
  std::chrono::seconds watch_least{300};                // a watch lasts a random time between this and twice this
  std::function<void(bool connected)> on_connection{};  // told of each change; called on the reflector's thread
};

// Called on the reflector's thread, one call at a time.
class ReflectorSink {
 public:
  virtual ~ReflectorSink() = default;
  virtual void upsert(Json&& object) = 0;
  virtual void erase(const Key& key, uint64_t version) = 0;
  // Whether the sink has this version of the object or a newer one, so that it needs no parsing.
  virtual bool has(const Key& /*key*/, uint64_t /*version*/) const { return false; }
  virtual uint64_t version_of(const Key& /*key*/) const { return 0; }  // at which it has it, or knows it deleted
  // History went back: whatever version the sink has, what comes next is newer.
  virtual void went_back() {}
  virtual void retain(const std::vector<Key>& keys, uint64_t list_version) = 0;  // after a list: whatever else is gone
};

class Reflector {
 public:
  Reflector(Client& client, const Resource& resource, ReflectorOptions options, ReflectorSink& sink);
  ~Reflector();  // stops
  void start();
  void stop();
  bool synced() const { return synced_; }

 private:
  void run(std::stop_token stop);
  bool history_went_back(const std::stop_token& stop);
  void begin_history(const std::string& present);
  Status list(const std::stop_token& stop);
  Status watch(const std::stop_token& stop);
  void observe(WatchType type, Json&& object);
  void connected(bool now);

  Client& client_;
  Resource resource_;
  ReflectorOptions options_;
  ReflectorSink& sink_;
  std::string last_seen_ = "0";  // the version that the sink is at; "0": any, from the API server's cache
  bool healthy_ = false;         // this watch was accepted and brought something
  bool brief_ = false;           // it ended at once, without a word
  std::optional<bool> told_;
  std::atomic<bool> synced_{false};
  RoleThread thread_{"reflector"};
};

}  // namespace twinspan::kube
