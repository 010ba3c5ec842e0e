#include "worker/s3/past.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

namespace twinspan::worker_s3 {
namespace {

const std::vector<std::string> kNames{"sgp", "nyc", "fra"};

LinkFacts facts(int endpoints = 2, const std::string& uid = "u1") {
  LinkFacts link{"backups", "b", uid, {}};
  for (int i = 0; i < endpoints; ++i)
    link.places.push_back({kNames[static_cast<size_t>(i)], "https://" + kNames[static_cast<size_t>(i)], "bucket", ""});
  return link;
}

Bearing bearing(int64_t epoch, const std::string& primary, bool assigned = true) {
  return {Direction{epoch, primary, false, false}, assigned, false};
}

void put(RecordsRead& seen, const LinkFacts& link, const std::string& here, int64_t epoch, const std::string& primary) {
  LinkRecord record{link.ns, link.link, link.uid, here, epoch,      primary, link.places.front().name,
                    "",      "t0",      "",       "",   link.places};
  auto& records = seen.read[here].records;
  std::erase_if(records, [&](const auto& one) { return one.record.ns == link.ns && one.record.link == link.link; });
  records.push_back({record, "etag"});
}

RecordsRead empty(const LinkFacts& link) {
  RecordsRead seen;
  for (const Place& place : link.places) seen.read[place.name];
  return seen;
}

TEST(LinkRecord, IsReadBackAsItWasWrittenAndAnythingElseIsNone) {
  const LinkFacts link = facts();
  const LinkRecord record{
      "backups",      "b",        "u1", "nyc", 3, "nyc", "sgp", "2026-11-28T10:00:00Z", "1970-01-01T00:00:00Z", "",
      "when written", link.places};
  EXPECT_EQ(*parse_link_record(to_json(record).dump()), record);
  for (const char* left_out : {"namespace", "link", "here", "epoch", "primary", "source", "endpoints"}) {
    Json less = to_json(record);
    less.erase(left_out);
    EXPECT_FALSE(parse_link_record(less.dump())) << left_out;
  }
  EXPECT_FALSE(parse_link_record("")) << "torn";
  EXPECT_FALSE(parse_link_record("[]"));
}

TEST(Past, OfALinkThatHasJustBeenMadeIsNoneAndItWaitsForNobody) {
  const LinkFacts link = facts(3);
  RecordsRead seen;
  EXPECT_FALSE(judge_past(link, seen, bearing(1, "sgp", false)).known);
  seen.read["sgp"];
  seen.unread["fra"] = "no route";
  EXPECT_FALSE(judge_past(link, seen, bearing(1, "sgp", false)).known) << "of one bucket alone nothing follows";
  seen.read["nyc"];
  const FlowPast past = judge_past(link, seen, bearing(1, "sgp", false));
  EXPECT_TRUE(past.known && past.epoch.value == 0 && !past.undecided());
}

TEST(Past, TheOtherBucketsRecordCountsWhereThePrimarysIsGoneAndUnreadMeansUnknown) {
  const LinkFacts link = facts();
  RecordsRead seen = empty(link);
  put(seen, facts(2, "u0"), "nyc", 3, "nyc");
  FlowPast past = judge_past(link, seen, bearing(1, "sgp", false));
  EXPECT_TRUE(past.known);
  EXPECT_EQ(past.primary, "nyc");
  EXPECT_EQ(past.epoch, Epoch{3});
  EXPECT_NE(may_write(link, seen, bearing(1, "sgp", false), "nyc").permit, Permit::kAllowed);
  seen.read.erase("sgp");
  seen.unread["sgp"] = "connection refused";
  past = judge_past(link, seen, bearing(1, "sgp", false));
  EXPECT_FALSE(past.known) << "it may have been primary later";
  EXPECT_NE(past.message.find("twinspan.dev/promote=nyc@4"), std::string::npos) << past.message;
}

TEST(Past, TwoThatSayTheySameEpochWasTheirsAndWhatCannotBeReadWaitForAPerson) {
  const LinkFacts link = facts();
  RecordsRead seen = empty(link);
  put(seen, link, "sgp", 3, "sgp");
  put(seen, link, "nyc", 3, "nyc");
  FlowPast past = judge_past(link, seen, bearing(1, "sgp", false));
  EXPECT_EQ(past.reason, FlowReason::kRecordsContradict);
  EXPECT_NE(past.message.find("@4"), std::string::npos) << past.message;
  for (const std::string target : {"sgp", "nyc"})
    EXPECT_EQ(may_write(link, seen, bearing(3, target == "sgp" ? "nyc" : "sgp"), target).permit, Permit::kRefused);
  EXPECT_EQ(may_write(link, seen, bearing(4, "nyc"), "sgp").permit, Permit::kAllowed) << "a later epoch decides";

  seen = empty(link);
  seen.read["nyc"].unreadable = {link_record_key("backups", "b")};
  past = judge_past(link, seen, bearing(1, "sgp", false));
  EXPECT_EQ(past.reason, FlowReason::kRecordUnreadable);
  EXPECT_EQ(may_write(link, seen, bearing(1, "sgp"), "nyc").permit, Permit::kRefused);
  Bearing by_person = bearing(1, "sgp");
  by_person.by_person = true;
  EXPECT_EQ(may_write(link, seen, by_person, "nyc").permit, Permit::kAllowed);
}

TEST(Past, ALinkTheOtherWayRoundIsNotTurnedByItself) {
  LinkFacts reversed = facts(2, "u2");
  std::swap(reversed.places[0], reversed.places[1]);  // nyc is the source
  reversed.link = "back";
  RecordsRead seen = empty(reversed);
  put(seen, facts(), "sgp", 1, "sgp");
  put(seen, facts(), "nyc", 1, "sgp");
  const FlowPast past = judge_past(reversed, seen, bearing(1, "nyc", false));
  EXPECT_EQ(past.reason, FlowReason::kPrimaryUnclear) << "neither the spec's way nor the buckets' is taken unasked";
  EXPECT_NE(may_write(reversed, seen, bearing(1, "nyc", false), "sgp").permit, Permit::kAllowed);
  reversed.restores = true;  // a person says so
  EXPECT_EQ(judge_past(reversed, seen, bearing(1, "nyc", false)).primary, "nyc");
}

TEST(Past, OfARenamedLinkAndOfOtherAddressesCountsAndOfOtherPlacesDoesNot) {
  LinkFacts link = facts(2, "u2");
  link.link = "renamed";
  RecordsRead seen = empty(link);
  put(seen, facts(), "nyc", 2, "nyc");
  EXPECT_EQ(judge_past(link, seen, bearing(1, "sgp", false)).primary, "nyc") << "by its places";
  for (Place& place : link.places) place.endpoint += ".svc";  // the same buckets, seen from another cluster
  EXPECT_EQ(judge_past(link, seen, bearing(1, "sgp", false)).epoch, Epoch{0});
  put(seen, facts(), "sgp", 1, "sgp");
  EXPECT_EQ(judge_past(link, seen, bearing(1, "sgp", false)).primary, "nyc") << "its records lie in both";

  LinkFacts other = facts(2, "u3");
  other.link = "other";
  for (Place& place : other.places) place.prefix = "elsewhere/";
  LinkFacts beside = facts(2, "u4");
  beside.link = "beside";
  for (Place& place : beside.places) place.prefix = "here/";
  RecordsRead apart = empty(other);
  put(apart, beside, "nyc", 5, "nyc");
  put(apart, beside, "sgp", 5, "nyc");
  EXPECT_EQ(judge_past(other, apart, bearing(1, "sgp", false)).epoch, Epoch{0}) << "another prefix of the same buckets";
}

TEST(Past, WhereAnotherLinkKeepsItsCopyNothingIsWritten) {
  const LinkFacts link = facts(2, "u1");
  LinkFacts other{"backups", "other", "u9", {{"ams", "https://ams", "x", ""}, {"ny", "https://nyc", "bucket", ""}}};
  RecordsRead seen = empty(link);
  LinkRecord record{other.ns, other.link, other.uid, "ny", 1, "ams", "ams", "", "t0", "", "", other.places};
  seen.read["nyc"].records.push_back({record, "etag"});
  const Permission said = may_write(link, seen, bearing(1, "sgp"), "nyc");
  EXPECT_EQ(said.permit, Permit::kRefused);
  EXPECT_EQ(said.reason, FlowReason::kPlaceTaken);
  EXPECT_NE(said.message.find(link_record_key("backups", "other")), std::string::npos) << said.message;
  record.primary = "ny";  // the source of another link: a cascade
  seen.read["nyc"].records = {{record, "etag"}};
  EXPECT_EQ(may_write(link, seen, bearing(1, "sgp"), "nyc").permit, Permit::kAllowed);
  record.primary = "ams";
  record.places[1].prefix = "elsewhere/";
  LinkFacts apart = link;
  for (Place& place : apart.places) place.prefix = "here/";
  seen.read["nyc"].records = {{record, "etag"}};
  EXPECT_EQ(may_write(apart, seen, bearing(1, "sgp"), "nyc").permit, Permit::kAllowed);
}

TEST(Past, ALinkThatWasTakenOverTakesNothingBack) {
  const LinkFacts link = facts(2, "old");
  RecordsRead seen = empty(link);
  put(seen, facts(2, "new"), "sgp", 2, "sgp");
  put(seen, facts(2, "new"), "nyc", 2, "sgp");
  EXPECT_EQ(judge_past(link, seen, bearing(1, "sgp")).reason, FlowReason::kTakenOver);
  EXPECT_EQ(may_write(link, seen, bearing(1, "sgp"), "nyc").permit, Permit::kRefused);
  EXPECT_EQ(judge_past(link, seen, bearing(1, "sgp", false)).epoch, Epoch{2}) << "one that is applied anew goes on";
}

// What a switchover's last full sync has seen needs no reconciling: what is missing at the new primary was deleted
// there.
TEST(Past, ACleanSwitchoverRemembersSinceWhenTheOldPrimaryHasNothingOfItsOwn) {
  const LinkFacts link = facts();
  RecordsRead seen = empty(link);
  put(seen, link, "sgp", 2, "sgp");  // the epoch that asked for that sync
  seen.read["sgp"].records[0].written = *parse_rfc3339("2026-11-28T10:00:00Z");
  Bearing turned = bearing(3, "nyc");
  EXPECT_EQ(record_for(link, seen, turned, "sgp", "now").equal_since, "") << "a failover";
  turned.direction.clean = true;
  EXPECT_EQ(record_for(link, seen, turned, "nyc", "now").equal_since, "");
  const LinkRecord record = record_for(link, seen, turned, "sgp", "now");
  EXPECT_EQ(record.equal_since, "2026-11-28T10:00:00Z");
  seen.read["sgp"].records = {{record, "e", *parse_rfc3339("2026-11-28T11:00:00Z")}};
  EXPECT_EQ(record_for(link, seen, turned, "sgp", "later").equal_since, record.equal_since) << "as long as it lasts";
  put(seen, link, "sgp", 1, "sgp");
  EXPECT_EQ(record_for(link, seen, turned, "sgp", "now").equal_since, "") << "it was away when that sync began";
}

// By each bucket's own clock, and by the first record of a reign: whoever writes it again must not move that time.
TEST(Past, SinceWhenAPrimaryLeadsIsToldByTheFirstRecordAndStaysHoweverOftenItIsWritten) {
  const LinkFacts link = facts();
  RecordsRead seen = empty(link);
  for (const char* here : {"sgp", "nyc"}) put(seen, link, here, 2, "sgp");
  const WallTime first = *parse_rfc3339("2026-11-28T10:00:00Z");
  const auto write = [&](const char* here, const Bearing& bearing, WallTime written, bool unvisited = false) {
    const LinkRecord record = record_for(link, seen, bearing, here, "now", unvisited);
    seen.read[here].records = {{record, "e", written}};
    return turned_of(seen.read[here].records[0]);
  };
  EXPECT_EQ(write("nyc", bearing(3, "nyc"), first + std::chrono::milliseconds(900), true), first);
  EXPECT_EQ(write("sgp", bearing(3, "nyc"), first), first);
  for (const char* here : {"nyc", "sgp"}) {
    const WallTime later = first + std::chrono::minutes(1);
    EXPECT_EQ(write(here, bearing(3, "nyc"), later), first) << "another target was declared";
    Bearing again = bearing(4, "nyc");
    again.direction.same_as_before = true;
    EXPECT_EQ(write(here, again, later), first) << "a switchover that was given up";
    EXPECT_EQ(write(here, again, later), first);
  }
  const WallTime back = first + std::chrono::minutes(2);
  EXPECT_EQ(write("sgp", bearing(5, "sgp"), back, true), back) << "the next move begins another reign";
  EXPECT_EQ(write("nyc", bearing(5, "sgp"), back), back);
}

// A worker that has not stopped the other way itself can't tell whether clients have been sent there already.
TEST(Past, WhatIsNotKnownOfAPrimaryIsNotGuessed) {
  const LinkFacts link = facts();
  RecordsRead seen = empty(link);
  EXPECT_EQ(record_for(link, seen, bearing(3, "nyc"), "nyc", "now").turned, "");
  put(seen, link, "nyc", 2, "sgp");
  EXPECT_EQ(record_for(link, seen, bearing(3, "nyc"), "nyc", "now").turned, "") << "a worker that has just started";
  put(seen, link, "nyc", 3, "nyc");
  EXPECT_EQ(record_for(link, seen, bearing(3, "nyc"), "nyc", "now").turned, "") << "a record of an older version";
  EXPECT_EQ(turned_of(seen.read["nyc"].records[0]), std::nullopt);
  EXPECT_EQ(record_for(link, seen, bearing(3, "nyc"), "nyc", "now", true).turned, "when written");
}

// Lives of a link: changes of direction while buckets are away, records that were not written, the link deleted and
// applied again under the same or another name, its status lost or set back. Clients always write at the last primary:
// no worker may ever be allowed to write there from another, whatever it was told.
TEST(Past, NoHistoryLetsAnOldDirectionWriteIntoTheLastPrimary) {
  int allowed = 0, remembered = 0;
  for (unsigned seed = 0; seed < 4000; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    const int endpoints = 2 + pick(2);
    LinkFacts link = facts(endpoints, "u0");
    RecordsRead disk = empty(link);
    std::string primary = "sgp";
    int64_t epoch = 1;
    std::vector<Bearing> former;  // statuses that a backup may bring back
    Bearing now = bearing(1, "sgp", false);
    now.direction.first = true;
    int uids = 0;
    for (int step = 0; step < 12; ++step) {
      RecordsRead seen;
      for (const auto& [name, records] : disk.read) {
        if (pick(5) == 0)
          seen.unread[name] = "away";
        else
          seen.read[name] = records;
      }
      SCOPED_TRACE(fmt::format("seed {} step {} {}@{}", seed, step, now.direction.primary, now.direction.epoch));
      for (const Place& place : link.places) {
        if (place.name == now.direction.primary) continue;
        const bool may = may_write(link, seen, now, place.name).permit == Permit::kAllowed;
        ASSERT_FALSE(may && place.name == primary) << "an old direction writes where clients are";
        if (may) {
          ++allowed;
          disk.read[place.name].records.clear();
          disk.read[place.name].records.push_back({record_for(link, seen, now, place.name, "t"), "etag"});
        }
      }
      const FlowPast past = judge_past(link, seen, now);
      // The operator, from what this worker says.
      FlowPast said = past;
      const bool later = said.epoch.value > (now.assigned ? now.direction.epoch : 0);
      if (said.known && !said.undecided() && (later || (!now.assigned && said.epoch.value == 0 && pick(2)))) {
        if (later) ++remembered;
        now = said.epoch.value == 0 ? bearing(1, "sgp") : bearing(said.epoch.value + 1, said.primary);
        ASSERT_EQ(now.direction.primary, primary) << "another was chosen than who was primary last";
        epoch = now.direction.epoch;
        former.push_back(now);
      }
      // The worker writes the primary's record before clients are sent there.
      if (now.direction.primary == primary && seen.read.contains(primary) &&
          may_write(link, seen, now, primary).permit == Permit::kAllowed && (now.assigned || past.known)) {
        put(disk, link, primary, now.direction.epoch, primary);
      }
      switch (pick(8)) {
        case 0: {  // a failover: the new primary's record is written, and clients go there
          if (!now.assigned || now.direction.primary != primary) break;
          const std::string to = link.places[static_cast<size_t>(pick(endpoints))].name;
          if (to == primary || disk.read[primary].records.empty()) break;
          primary = to;
          now = bearing(++epoch, to);
          former.push_back(now);
          put(disk, link, to, epoch, to);
          break;
        }
        case 1:  // deleted and applied again
          link.uid = fmt::format("u{}", ++uids);
          now = bearing(1, "sgp", false);
          former.clear();
          break;
        case 2: now = bearing(1, "sgp", false); break;  // its status was deleted
        case 3:                                         // an older status was restored
          if (!former.empty()) now = former[static_cast<size_t>(pick(static_cast<int>(former.size())))];
          break;
        default: break;
      }
      if (now.assigned && now.direction.primary == primary) epoch = std::max(epoch, now.direction.epoch);
    }
  }
  EXPECT_GT(allowed, 100);
  EXPECT_GT(remembered, 100);
}

}  // namespace
}  // namespace twinspan::worker_s3
