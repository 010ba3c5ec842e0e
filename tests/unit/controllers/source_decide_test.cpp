#include "controllers/backup/source_decide.hpp"

#include <gtest/gtest.h>

namespace twinspan::controllers {
namespace {

using api::TakeFrom;

struct Sources {
  std::map<std::string, MemberSeen> members;
  std::string primary = "east", stanza = "orders-1-77";
  api::BackupScheduleSpec spec;
  api::BackupStatus status;

  Sources() {
    for (const char* name : {"east", "west", "west-2"}) {
      MemberSeen& one = members[name];
      one.system_id = "77";
      one.timeline = 3;
      one.backup.stanza = stanza;
      one.backup.ready = one.backup.archiving = one.backup.at_replicas = true;
    }
    members["east"].backup.timeline = 3;
    for (const char* name : {"west", "west-2"}) {
      members[name].lag_seconds = 0.5;
      members["east"].downstreams[name] = {"streaming", "async", {}, {}, {}, {}};
    }
  }
  Source choose() const { return choose_source({members, primary, stanza, spec, status}); }
};

// Everything that can be the matter with a replica.
const std::vector<std::pair<std::function<void(Sources&, const std::string&)>, std::string>> kUnfit{
    {[](Sources& s, const std::string& name) { s.members.erase(name); }, ""},
    {[](Sources& s, const std::string& name) { s.members[name].system_id = "66"; }, "another database"},
    {[](Sources& s, const std::string& name) { s.members[name].backup.at_replicas = false; }, "older worker"},
    {[](Sources& s, const std::string& name) { s.members[name].backup.stanza = "orders-1-66"; }, "not ready"},
    {[](Sources& s, const std::string& name) { s.members[name].backup.ready = false; }, "not ready"},
    {[](Sources& s, const std::string& name) { s.members[name].backup.archiving = false; }, "not ready"},
    {[](Sources& s, const std::string& name) { s.members["east"].downstreams.erase(name); }, "does not stream"},
    {[](Sources& s, const std::string& name) { s.members["east"].downstreams[name].state = "catchup"; },
     "does not stream"},
    {[](Sources& s, const std::string& name) { s.members[name].timeline = 2; }, "another timeline"},
    {[](Sources& s, const std::string& name) { s.members[name].timeline.reset(); }, "another timeline"},
    {[](Sources& s, const std::string& name) { s.members[name].lag_seconds.reset(); }, "not measured"},
    {[](Sources& s, const std::string& name) { s.members[name].lag_seconds = 301; }, "301 s behind"},
    {[](Sources& s, const std::string& name) { s.members["east"].downstreams[name].lag_seconds = 900; },
     "900 s behind"},
};

TEST(SourceDecide, AReplicaIsTakenExactlyIfNothingIsTheMatterWithIt) {
  for (const TakeFrom from : {TakeFrom::kPreferReplica, TakeFrom::kReplica, TakeFrom::kPrimary})
    for (size_t first = 0; first <= kUnfit.size(); ++first)
      for (size_t second = 0; second <= kUnfit.size(); ++second) {
        Sources sources;
        sources.spec.take_from = from;
        if (first < kUnfit.size()) kUnfit[first].first(sources, "west");
        if (second < kUnfit.size()) kUnfit[second].first(sources, "west-2");
        const std::string replica = first == kUnfit.size() ? "west" : second == kUnfit.size() ? "west-2" : "";
        const Source source = sources.choose();
        if (from == TakeFrom::kPrimary)
          EXPECT_EQ(source.endpoint, "east");
        else if (!replica.empty() || from == TakeFrom::kReplica)
          EXPECT_EQ(source.endpoint, replica);
        else
          EXPECT_EQ(source.endpoint, "east");
        EXPECT_EQ(source.why.empty(), !source.endpoint.empty());
        if (!source.endpoint.empty()) continue;
        EXPECT_NE(source.why.find(kUnfit[first].second), std::string::npos) << source.why;
        EXPECT_NE(source.why.find(kUnfit[second].second), std::string::npos) << source.why;
      }
}

TEST(SourceDecide, APrimaryThatCanNotHelpIsCopiedItselfOrWaitedFor) {
  for (const auto& spoil : std::vector<std::function<void(Sources&)>>{
           [](Sources& s) { s.members.erase("east"); },
           [](Sources& s) { s.members["east"].backup.at_replicas = false; },
           [](Sources& s) { s.members["east"].backup.timeline = 0; },
           [](Sources& s) { s.members["east"].backup.stanza = "orders-1-66"; }}) {
    Sources sources;
    spoil(sources);
    EXPECT_EQ(sources.choose().endpoint, "east");
    sources.spec.take_from = TakeFrom::kReplica;
    EXPECT_EQ(sources.choose().endpoint, "");
    EXPECT_NE(sources.choose().why.find("waits for east"), std::string::npos) << sources.choose().why;
  }
}

TEST(SourceDecide, OneThatNoCommitWaitsForComesFirst) {
  Sources sources;
  sources.members["east"].downstreams["west"].sync_state = "sync";
  EXPECT_EQ(sources.choose().endpoint, "west-2");
  sources.members["east"].downstreams["west-2"].sync_state = "quorum";
  EXPECT_EQ(sources.choose().endpoint, "west");
}

TEST(SourceDecide, TheNextAttemptIsElsewhereAndTheLastAtThePrimaryIfItMayBe) {
  for (const TakeFrom from : {TakeFrom::kPreferReplica, TakeFrom::kReplica}) {
    Sources sources;
    sources.spec.take_from = from;
    sources.status.attempts = 1;
    sources.status.endpoint = "west";
    EXPECT_EQ(sources.choose().endpoint, "west-2");
    sources.members.erase("west-2");
    EXPECT_EQ(sources.choose().endpoint, "west") << "there is no other";
    sources.status.attempts = 2;
    EXPECT_EQ(sources.choose().endpoint, from == TakeFrom::kReplica ? "west" : "east");
  }
}

TEST(SourceDecide, MaxLagSecondsIsTheBound) {
  for (const int64_t bound : {1, 300})
    for (const double lag : {0.0, 1.0, 1.5, 300.0, 300.5}) {
      Sources sources;
      sources.spec.max_lag_seconds = bound;
      sources.members["west"].lag_seconds = lag;
      sources.members.erase("west-2");
      EXPECT_EQ(sources.choose().endpoint == "west", lag <= static_cast<double>(bound)) << lag << " " << bound;
    }
}

}  // namespace
}  // namespace twinspan::controllers
