// A tiny API server in the test's process: any resource, no schema, resource versions, watches, and faults on request.
#pragma once
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "kube/client.hpp"
#include "net/http.hpp"

namespace twinspan::kube::testing {

using std::chrono::milliseconds;
using std::chrono::seconds;

template <class F>
bool eventually(F done, seconds limit = seconds(10)) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < until) {
    if (done()) return true;
    std::this_thread::sleep_for(milliseconds(2));
  }
  return done();
}

class FakeClock final : public Clock {
 public:
  BootTime boot_now() const override { return BootTime(std::chrono::nanoseconds(now_.load())); }
  WallTime wall_now() const override {
    return WallTime(std::chrono::seconds(1'790'000'000)) + std::chrono::microseconds(now_ / 1000);
  }
  void advance(std::chrono::nanoseconds time) { now_ += time.count(); }

 private:
  std::atomic<int64_t> now_{1'000'000'000'000};
};

// What the next requests of a kind meet instead of an answer.
struct Fault {
  int status = 0;             // an answer with this status …
  std::string retry_after{};  // … and this header
  std::string reason{};       // … of a Status object
  bool cut = false;           // the connection is closed without an answer
  // For watches:
  int events_before = -1;  // after this many events …
  std::string then{};      // … this text is sent …
  bool then_cut = false;   // … and the stream is cut; else it ends properly
};

class FakeApi {
 public:
  FakeApi() { start(0); }
  ~FakeApi() { stop(); }

  Config config() const {
    Config config;
    config.server = "http://127.0.0.1:" + std::to_string(port_);
    config.request_timeout = seconds(5);
    return config;
  }
  void stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    if (server_) server_->stop();
    server_.reset();
  }
  void restart() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = false;
    }
    start(port_);
  }

  // Objects of `plural`, written behind the clients' backs.
  std::string put(const std::string& plural, const std::string& ns, const std::string& name,
                  Json rest = Json::object()) {
    std::lock_guard lock(mutex_);
    return store(plural, ns, name, std::move(rest));
  }
  void erase(const std::string& plural, const std::string& ns, const std::string& name) {
    std::lock_guard lock(mutex_);
    drop(plural, {ns, name});
  }
  void compact() {  // versions up to now are gone for watches
    std::lock_guard lock(mutex_);
    compacted_ = version_;
    history_.clear();
  }
  void rewind() {  // as after a restore from an old backup
    std::lock_guard lock(mutex_);
    version_ -= 50;
    history_.clear();
  }
  // Every open watch ends with 410, as after a compaction.
  void expire_watches() {
    std::lock_guard lock(mutex_);
    ++expirations_;
    changed_.notify_all();
  }
  void bookmark() {
    std::lock_guard lock(mutex_);
    record("BOOKMARK", "", "", {{"metadata", {{"resourceVersion", std::to_string(++version_)}}}});
  }
  void fail_next(const std::string& kind, Fault fault,
                 int times = 1) {  // kind: list, watch, get, POST, PUT, PATCH, DELETE
    std::lock_guard lock(mutex_);
    for (int i = 0; i < times; ++i) faults_[kind].push_back(fault);
  }
  // "list?resourceVersion=0&limit=500", "watch?resourceVersion=5…", "PUT /api…": in order of arrival.
  std::vector<std::string> requests() const {
    std::lock_guard lock(mutex_);
    return log_;
  }
  size_t count(const std::string& beginning) const {
    std::lock_guard lock(mutex_);
    return static_cast<size_t>(
        std::count_if(log_.begin(), log_.end(), [&](const auto& line) { return line.starts_with(beginning); }));
  }
  Json object(const std::string& plural, const std::string& ns, const std::string& name) const {
    std::lock_guard lock(mutex_);
    const auto found = objects_.find({plural, Key{ns, name}});
    return found == objects_.end() ? Json() : found->second;
  }
  std::vector<net::IncomingRequest> received() const {
    std::lock_guard lock(mutex_);
    return received_;
  }
  std::function<std::optional<net::OutgoingResponse>(const net::IncomingRequest&)> intercept;

 private:
  struct Event {
    uint64_t version;
    std::string type, plural, ns;
    Json object;
  };
  struct Route {
    std::string plural, ns, name;
  };

  void start(int port) {
    server_ = std::make_unique<net::Server>(net::ServerOptions{.address = "127.0.0.1", .port = port, .threads = 32},
                                            [this](const net::IncomingRequest& request) { return answer(request); });
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error().message;
    port_ = server_->port();
  }

  static Route route(const std::string& path) {
    std::vector<std::string> parts;
    std::istringstream text(path);
    for (std::string part; std::getline(text, part, '/');)
      if (!part.empty()) parts.push_back(part);
    size_t at = parts.empty() ? 0 : parts[0] == "api" ? 2 : 3;
    Route out;
    if (at + 1 < parts.size() && parts[at] == "namespaces" && at + 2 < parts.size() + 0) {
      out.ns = parts[at + 1];
      at += 2;
    }
    if (at < parts.size()) out.plural = parts[at];
    if (at + 1 < parts.size()) out.name = parts[at + 1];
    return out;
  }

  static net::OutgoingResponse json(int status, const Json& body) {
    net::OutgoingResponse out;
    out.status = status;
    out.body = body.dump();
    return out;
  }
  static Json status(int code, const std::string& reason, const std::string& message) {
    return {{"kind", "Status"}, {"apiVersion", "v1"}, {"status", "Failure"},
            {"code", code},     {"reason", reason},   {"message", message}};
  }
  static std::string parameter(const net::IncomingRequest& request, const std::string& name) {
    const auto found = request.query.find(name);
    return found == request.query.end() ? "" : found->second;
  }

  std::string store(const std::string& plural, const std::string& ns, const std::string& name, Json rest) {
    const std::pair<std::string, Key> id{plural, Key{ns, name}};
    const bool existed = objects_.contains(id);
    rest["metadata"]["name"] = name;
    rest["metadata"]["namespace"] = ns;
    rest["metadata"]["resourceVersion"] = std::to_string(++version_);
    objects_[id] = rest;
    record(existed ? "MODIFIED" : "ADDED", plural, ns, std::move(rest));
    return std::to_string(version_);
  }
  void drop(const std::string& plural, const Key& key) {
    const auto found = objects_.find({plural, key});
    if (found == objects_.end()) return;
    Json last = std::move(found->second);
    objects_.erase(found);
    last["metadata"]["resourceVersion"] = std::to_string(++version_);
    record("DELETED", plural, key.ns, std::move(last));
  }
  void record(std::string type, std::string plural, std::string ns, Json object) {
    history_.push_back({version_, std::move(type), std::move(plural), std::move(ns), std::move(object)});
    changed_.notify_all();
  }

  net::OutgoingResponse answer(const net::IncomingRequest& request) {
    if (intercept)
      if (auto out = intercept(request)) return *out;
    const Route where = route(request.path);
    const bool watch = parameter(request, "watch") == "true";
    // Client::present_version() apart from lists that bring objects.
    const bool present = parameter(request, "limit") == "1" && parameter(request, "resourceVersion").empty() &&
                         parameter(request, "continue").empty();
    const std::string kind = request.method != "GET" ? request.method
                             : watch                 ? "watch"
                             : !where.name.empty()   ? "get"
                             : present               ? "present"
                                                     : "list";
    std::unique_lock lock(mutex_);
    received_.push_back(request);
    std::string line = request.method == "GET" ? kind : kind + " " + request.path;
    for (const char* name : {"resourceVersion", "limit", "continue", "allowWatchBookmarks"})
      if (const std::string value = parameter(request, name); !value.empty())
        line += (line.find('?') == std::string::npos ? "?" : "&") + std::string(name) + "=" + value;
    if (kind != "present") log_.push_back(line);
    Fault fault;
    if (auto& waiting = faults_[kind]; !waiting.empty()) {
      fault = waiting.front();
      waiting.pop_front();
    }
    if (fault.cut) throw net::CutConnection{};
    if (fault.status) {
      auto out = json(fault.status, status(fault.status, fault.reason, "injected"));
      if (!fault.retry_after.empty()) out.headers.emplace_back("Retry-After", fault.retry_after);
      return out;
    }
    if (kind == "watch") return open_watch(request, where, fault);
    if (kind == "list" || kind == "present") return list(request, where);
    return single(request, where);
  }

  net::OutgoingResponse list(const net::IncomingRequest& request, const Route& where) {
    const std::string asked = parameter(request, "resourceVersion");
    if (!asked.empty() && asked != "0" && std::stoull(asked) > version_)
      return json(504, status(504, "Timeout", "Too large resource version: " + asked));
    const size_t limit = parameter(request, "limit").empty() ? 0 : std::stoul(parameter(request, "limit"));
    const std::string after = parameter(request, "continue");
    Json items = Json::array();
    std::string token;
    for (const auto& [id, object] : objects_) {
      if (id.first != where.plural || (!where.ns.empty() && id.second.ns != where.ns)) continue;
      if (!after.empty() && id.second.name <= after) continue;
      if (limit && items.size() == limit) {
        token = items.back()["metadata"]["name"];
        break;
      }
      items.push_back(object);
    }
    Json out = {{"kind", "List"}, {"apiVersion", "v1"}, {"items", items}};
    out["metadata"] = {{"resourceVersion", std::to_string(version_)}};
    if (!token.empty()) out["metadata"]["continue"] = token;
    return json(200, out);
  }

  net::OutgoingResponse single(const net::IncomingRequest& request, Route where) {
    Json body = Json::parse(request.body, nullptr, false);
    if (where.name.empty() && body.contains("metadata")) where.name = body["metadata"].value("name", "");
    const auto found = objects_.find({where.plural, Key{where.ns, where.name}});
    const bool exists = found != objects_.end();
    if (request.method == "POST" && exists)
      return json(409, status(409, "AlreadyExists", where.name + " already exists"));
    if (request.method != "POST" && !exists)
      return json(404, status(404, "NotFound", where.plural + " \"" + where.name + "\" not found"));
    if (request.method == "GET") return json(200, found->second);
    if (request.method == "DELETE") {
      drop(where.plural, {where.ns, where.name});
      return json(200, status(200, "", ""));
    }
    const std::string precondition = body.contains("metadata") ? body["metadata"].value("resourceVersion", "") : "";
    if (exists && !precondition.empty() && precondition != found->second["metadata"]["resourceVersion"])
      return json(409, status(409, "Conflict", "the object has been modified"));
    if (request.method == "PATCH") {
      Json merged = found->second;
      merged.merge_patch(body);
      body = std::move(merged);
    }
    store(where.plural, where.ns, where.name, std::move(body));
    return json(request.method == "POST" ? 201 : 200, objects_[{where.plural, Key{where.ns, where.name}}]);
  }

  net::OutgoingResponse open_watch(const net::IncomingRequest& request, const Route& where, const Fault& fault) {
    const std::string asked = parameter(request, "resourceVersion");
    uint64_t at = asked.empty() || asked == "0" ? version_ : std::stoull(asked);
    net::OutgoingResponse out;
    const Json gone = {{"type", "ERROR"}, {"object", status(410, "Expired", "too old resource version: " + asked)}};
    if (at < compacted_) {
      auto sent = std::make_shared<bool>(false);
      out.stream = [gone, sent](const auto& write, const std::stop_token&) {
        return !std::exchange(*sent, true) && write(gone.dump() + "\n");
      };
      return out;
    }
    struct State {
      uint64_t at, expirations;
      int events = 0;
    };
    auto state = std::make_shared<State>(State{at, expirations_});
    out.stream = [this, where, fault, gone, state](const auto& write, const std::stop_token& stop) -> bool {
      std::unique_lock lock(mutex_);
      while (!stop.stop_requested() && !stopping_) {
        if (fault.events_before >= 0 && state->events >= fault.events_before) {
          lock.unlock();
          if (!fault.then.empty()) write(fault.then);
          if (fault.then_cut) throw net::CutConnection{};
          return false;
        }
        if (state->expirations != expirations_) {
          lock.unlock();
          write(gone.dump() + "\n");
          return false;
        }
        for (const Event& event : history_) {
          if (event.version <= state->at) continue;
          state->at = event.version;
          if (event.type != "BOOKMARK" && (event.plural != where.plural || (!where.ns.empty() && event.ns != where.ns)))
            continue;
          ++state->events;
          const std::string line = Json{{"type", event.type}, {"object", event.object}}.dump() + "\n";
          lock.unlock();
          return write(line);
        }
        changed_.wait_for(lock, stop, seconds(30),
                          [&] { return stopping_ || version_ != state->at || state->expirations != expirations_; });
        if (version_ == state->at) continue;
        const bool fresh = std::any_of(history_.begin(), history_.end(),
                                       [&](const Event& event) { return event.version > state->at; });
        if (!fresh) state->at = version_;
      }
      return false;
    };
    return out;
  }

  std::unique_ptr<net::Server> server_;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool stopping_ = false;
  uint64_t version_ = 100, compacted_ = 0, expirations_ = 0;
  std::map<std::pair<std::string, Key>, Json> objects_;
  std::vector<Event> history_;
  std::map<std::string, std::deque<Fault>> faults_;
  std::vector<std::string> log_;
  std::vector<net::IncomingRequest> received_;
};

}  // namespace twinspan::kube::testing
