// What the link controller asks of an engine, which is all it knows of one. LinkReconciler carries the answer out.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controllers/cluster/cluster.hpp"
#include "controllers/cluster/engine_table.hpp"
#include "controllers/link/link_plan.hpp"
#include "controllers/link/link_seen.hpp"
#include "controllers/reports/worker_reports.hpp"

namespace twinspan::controllers {

// A worker of the link that says at GET /status how it fares.
struct LinkMember {
  struct Contact {
    std::string ip, certificate_name, pod_uid;
  };
  std::string name;                // among the link's reports
  std::optional<Contact> contact;  // nullopt: it can't be asked now, and what it said before is over
};
LinkMember link_member(const std::string& name, const Pod* pod, const std::string& certificate_name);

struct LinkEvent {
  bool warning = false;
  std::string reason, message;
};
// Of the conditions of these types whose reason is another and that are known: news, or a warning where one does not
// hold for no reason that passes by itself.
std::vector<LinkEvent> turned(const api::LinkStatus& before, const api::LinkStatus& after,
                              std::initializer_list<const char*> types);
// An Event that is told once for each version of what it is about, as long as this operator lives.
struct LinkNotice {
  std::string about, version;
  LinkEvent event;
};

struct LinkFacts {
  std::shared_ptr<const CachedLink> link;
  Recalled recalled;
  RollBudget& rolls;  // asked by a look: whether the link may renew its pods
};

struct LinkLook {
  LinkSeen seen;  // what steps are carried out with: whose the link is, its CA, its members
  LinkPlan plan;
  api::LinkStatus status;           // whole, but for what failover writes
  std::vector<LinkMember> members;  // to be asked from now on
  std::vector<LinkEvent> events;    // of this status, once it is written
  std::vector<LinkNotice> notices;
};

class LinkEngine {
 public:
  virtual ~LinkEngine() = default;
  // Gathers and decides. Writes nothing and asks no server. Any thread, a link in one at a time.
  virtual LinkLook look(const LinkFacts& facts, const Cluster& cluster, const WorkerReports& reports) const = 0;
  // Whether a worker says something that its link should be looked at for at once. Both have arrived.
  virtual bool is_news(const MemberReport& before, const MemberReport& after) const = 0;
  // For how long a link is left alone after an edit, so that those which follow are judged with it.
  virtual std::chrono::milliseconds patience_with_edits() const { return {}; }
};

using LinkEngines = EngineTable<LinkEngine>;

}  // namespace twinspan::controllers
