#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sandbox/api/routes.hpp"
#include "sandbox/api/selector.hpp"
#include "sandbox/api/table.hpp"

namespace twinspan::sandbox {
namespace {

using std::chrono::steady_clock;

// One client's stream. Each call of step() sends what is new; the server calls it until it answers false.
class WatchStream {
 public:
  struct Setup {
    ApiCall call;  // without its HTTP request, which does not live as long
    std::string user_agent;
    LabelSelector labels;
    FieldSelector fields;
    uint64_t revision = 0;
    bool initial = false;  // begin with everything there is
    bool marks_initial_end = false;
    bool bookmarks = false;
    std::chrono::milliseconds bookmark_interval;
    steady_clock::time_point end;
  };
  using Write = std::function<bool(std::string_view)>;

  WatchStream(Setup setup, Store& store, const Catalog& catalog, Faults& faults)
      : setup_(std::move(setup)),
        store_(store),
        catalog_(catalog),
        faults_(faults),
        outages_(faults.outages()),
        bookmarked_(steady_clock::now()) {}

  bool step(const Write& write, const std::stop_token& stop) {
    if (setup_.initial) return faults_.outages() == outages_ && begin(write);
    const ResourceName resource = setup_.call.kind->resource();
    auto wait = std::min<std::chrono::milliseconds>(std::chrono::milliseconds(1000), left());
    if (setup_.bookmarks) wait = std::min(wait, setup_.bookmark_interval);
    if (held_) wait = std::min(wait, std::chrono::milliseconds(200));
    store_.wait(resource, setup_.revision, wait, stop);
    if (stop.stop_requested()) return false;
    if (faults_.outages() != outages_ || faults_.cuts_idle(subject(""))) return false;
    if (setup_.call.kind->custom && !catalog_.find(resource)) return false;
    const uint64_t now = store_.revision();  // before events: what they hold not of up to here, there was not
    const auto events = store_.events(resource, setup_.revision);
    // As the real server: until that version is reached there is nothing to tell.
    if (!events && events.error() == StoreError::kFuture) return left().count() > 0;
    if (!events) {
      write(line(
          "ERROR",
          to_status(
              gone(fmt::format("too old resource version: {} ({})", setup_.revision, store_.revision())).error())));
      return false;
    }
    for (const StoreEvent& event : *events) {
      if (!deliver(event, write)) return false;
      setup_.revision = event.revision;
    }
    setup_.revision = std::max(setup_.revision, now);
    if (events->empty() && held_ && !release(write)) return false;
    if (setup_.bookmarks && !withheld_ && !held_ && steady_clock::now() - bookmarked_ >= setup_.bookmark_interval &&
        !bookmark(write, false))
      return false;
    if (left().count() > 0) return true;
    if (held_ && !release(write)) return false;
    if (setup_.bookmarks && !withheld_) bookmark(write, false);
    return false;
  }

 private:
  std::chrono::milliseconds left() const {
    return std::max(std::chrono::milliseconds(0),
                    std::chrono::duration_cast<std::chrono::milliseconds>(setup_.end - steady_clock::now()));
  }
  FaultSubject subject(const std::string& name) const {
    return {"watch", setup_.call.kind->plural, setup_.call.ns, name, setup_.user_agent};
  }
  bool chosen(const Json& object) const { return setup_.labels.matches(object) && setup_.fields.matches(object); }

  std::string line(std::string_view type, const Json& object) const {
    return fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", type,
                       object.dump(-1, ' ', false, Json::error_handler_t::replace));
  }

  Json body(const Json& object) {
    if (setup_.call.form != Form::kTable) return shaped(setup_.call, object);
    const Json served = shaped(setup_.call, object);
    Json table =
        make_table(*setup_.call.kind, {&served}, {{"resourceVersion", object["metadata"].value("resourceVersion", "")}},
                   {setup_.call.include_whole_object, !table_sent_}, SystemClock().wall_now());
    table_sent_ = true;
    return table;
  }

  bool begin(const Write& write) {
    setup_.initial = false;
    const auto listed = store_.list(setup_.call.kind->resource(), setup_.call.ns);
    for (const auto& [key, object] : listed->items)
      if (chosen(*object) && !write(line("ADDED", body(*object)))) return false;
    setup_.revision = listed->revision;
    return !setup_.marks_initial_end || bookmark(write, true);
  }

  bool bookmark(const Write& write, bool initial_end) {
    bookmarked_ = steady_clock::now();
    Json object = {{"apiVersion", setup_.call.kind->api_version()},
                   {"kind", setup_.call.kind->kind},
                   {"metadata", {{"resourceVersion", std::to_string(setup_.revision)}}}};
    if (initial_end) object["metadata"]["annotations"] = {{"k8s.io/initial-events-end", "true"}};
    if (setup_.call.form == Form::kTable)
      object = make_table(*setup_.call.kind, {}, object["metadata"], {false, false}, SystemClock().wall_now());
    return write(line("BOOKMARK", object));
  }

  // An object that comes into the selection is ADDED for this client, one that leaves it is DELETED.
  std::optional<std::string> rendered(const StoreEvent& event) {
    if (!setup_.call.ns.empty() && event.key.ns != setup_.call.ns) return std::nullopt;
    const bool was = event.before && chosen(*event.before);
    const bool is = event.change != Change::kDeleted && chosen(*event.object);
    if (is) return line(was ? "MODIFIED" : "ADDED", body(*event.object));
    if (!was) return std::nullopt;
    Json last = event.change == Change::kDeleted ? *event.object : *event.before;
    last["metadata"]["resourceVersion"] = std::to_string(event.revision);
    return line("DELETED", body(last));
  }

  bool deliver(const StoreEvent& event, const Write& write) {
    auto text = rendered(event);
    if (!text) return true;
    switch (faults_.on_event(subject(event.key.name))) {
      case Faults::Fate::kCut: write(std::string_view(*text).substr(0, text->size() / 2)); return false;
      case Faults::Fate::kDrop: withheld_ = true; return true;
      case Faults::Fate::kHold:
        if (held_ && !release(write)) return false;
        held_ = std::move(text);
        return true;
      case Faults::Fate::kDeliver: break;
    }
    return write(*text) && (!held_ || release(write));
  }

  bool release(const Write& write) {
    const std::string text = std::move(*held_);
    held_.reset();
    return write(text);
  }

  Setup setup_;
  Store& store_;
  const Catalog& catalog_;
  Faults& faults_;
  const uint64_t outages_;
  steady_clock::time_point bookmarked_;
  bool table_sent_ = false;
  bool withheld_ = false;  // an event was dropped: no bookmark may tell the client that it has seen everything
  std::optional<std::string> held_;  // to be sent after the next event
};

}  // namespace

net::OutgoingResponse Routes::watch(ApiCall& call) {
  auto labels = LabelSelector::parse(call.query("labelSelector"));
  if (!labels) return answer(labels.error());
  auto fields = FieldSelector::parse(call.query("fieldSelector"), *call.kind);
  if (!fields) return answer(fields.error());
  WatchStream::Setup setup;
  setup.user_agent = call.http->header("User-Agent");
  setup.labels = std::move(*labels);
  setup.fields = std::move(*fields);
  setup.bookmarks = call.flag("allowWatchBookmarks");
  setup.bookmark_interval = options_.bookmark_interval;
  const std::string version = call.query("resourceVersion");
  if (version.find_first_not_of("0123456789") != std::string::npos)
    return answer(
        bad_request(fmt::format("Invalid value: \"{}\": resourceVersion: must be a number", version)).error());
  setup.revision = std::strtoull(version.c_str(), nullptr, 10);
  if (setup.revision > store_.revision())
    return answer(refuse(504, "Timeout",
                         "Too large resource version: " + version + ", current: " + std::to_string(store_.revision()))
                      .error());
  const std::string send_initial = call.query("sendInitialEvents");
  if (!send_initial.empty()) {
    if (call.query("resourceVersionMatch") != "NotOlderThan")
      return answer(
          invalid("", "ListOptions", "",
                  {forbidden_value("resourceVersionMatch",
                                   "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")})
              .error());
    setup.initial = setup.marks_initial_end = call.flag("sendInitialEvents");
    if (!setup.initial && setup.revision == 0) setup.revision = store_.revision();
    setup.marks_initial_end = setup.initial && setup.bookmarks;
  } else {
    setup.initial = setup.revision == 0;
  }
  if (!setup.initial) {
    if (const auto events = store_.events(call.kind->resource(), setup.revision);
        !events && events.error() != StoreError::kFuture) {
      // As the real server: the stream is opened, and its one event says so.
      const Json status =
          to_status(gone(fmt::format("too old resource version: {} ({})", setup.revision, store_.revision())).error());
      net::OutgoingResponse out;
      out.stream = [status](const auto& write, const std::stop_token&) {
        write(Json{{"type", "ERROR"}, {"object", status}}.dump() + "\n");
        return false;
      };
      return out;
    }
  }
  const int64_t seconds = std::strtoll(call.query("timeoutSeconds").c_str(), nullptr, 10);
  setup.end = steady_clock::now() + (seconds > 0 ? std::chrono::seconds(seconds) : options_.watch_timeout);
  setup.call = call;
  setup.call.http = nullptr;
  auto stream = std::make_shared<WatchStream>(std::move(setup), store_, catalog_, faults_);
  net::OutgoingResponse out;
  out.stream = [stream](const std::function<bool(std::string_view)>& write, const std::stop_token& stop) {
    return stream->step(write, stop);
  };
  return out;
}

}  // namespace twinspan::sandbox
