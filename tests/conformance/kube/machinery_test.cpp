// Leases, informers, elections and events on the API server.
#include "core/wait.hpp"
#include "kube/election.hpp"
#include "kube/events.hpp"
#include "kube/informer.hpp"
#include "suite.hpp"

namespace twinspan::kube::conformance {
namespace {

using Leases = Suite;

TEST_F(Leases, OfTwoWritersWithOneVersionOneWins) {
  ASSERT_TRUE(ok(client.create(kLeases, lease("l", ""))));
  for (int round = 0; round < 5; ++round) {
    const auto read = client.get(kLeases, key("l"));
    ASSERT_TRUE(ok(read));
    std::atomic<int> won{0}, lost{0};
    {
      std::vector<std::jthread> writers;
      for (int i = 0; i < 6; ++i)
        writers.emplace_back([&, i, round] {
          Json mine = *read;
          // Never what it was: a write that changes nothing succeeds beside the one that wins.
          mine["spec"]["holderIdentity"] = "writer-" + std::to_string(round * 10 + i);
          const auto written = client.update(kLeases, mine);
          if (written) {
            ++won;
          } else if (written.error().code == Code::kConflict) {
            ++lost;
          }
        });
    }
    EXPECT_EQ(won, 1);
    EXPECT_EQ(lost, 5);
  }
}

TEST_F(Leases, OfTwoCreatorsOneWins) {
  std::atomic<int> won{0}, lost{0};
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < 6; ++i)
      writers.emplace_back([&] {
        const auto made = client.create(kLeases, lease("l", "me"));
        if (made) {
          ++won;
        } else if (made.error().code == Code::kAlreadyExists) {
          ++lost;
        }
      });
  }
  EXPECT_EQ(won, 1);
  EXPECT_EQ(lost, 5);
}

TEST_F(Leases, TimesKeepTheirMicroseconds) {
  ASSERT_TRUE(ok(client.create(kLeases, lease("l", "me"))));
  EXPECT_EQ(client.get(kLeases, key("l"))->at("spec").at("renewTime"), "2026-11-21T09:43:00.123456Z");
}

using Informers = Suite;

TEST_F(Informers, ConvergeWhileWritersHammer) {
  Informer<std::string> informer(
      client, kConfigMaps, {.ns = ns, .label_selector = "hammered=yes"},
      [](const Json& object) -> Result<std::string> { return object.at("data").at("n").get<std::string>(); });
  std::mutex mutex;
  std::map<Key, std::string> followed;  // what the handlers say the cache holds
  informer.add_handler([&](const Key& key, const auto& before, const auto& after) {
    std::lock_guard lock(mutex);
    EXPECT_EQ(before == nullptr, !followed.contains(key)) << key.str();
    EXPECT_EQ(before ? *before : "", followed[key]) << key.str();
    if (after) {
      followed[key] = *after;
    } else {
      followed.erase(key);
    }
  });
  informer.start();
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < 4; ++w)
      writers.emplace_back([&, w] {
        for (int i = 0; i < 60; ++i) {
          const std::string name = "h-" + std::to_string(w) + "-" + std::to_string(i % 7);
          Json object = config_map(name, {{"n", std::to_string(i)}});
          object["metadata"]["labels"]["hammered"] = "yes";
          if (i % 5 == 4) {
            (void)client.remove(kConfigMaps, key(name));
            continue;
          }
          auto written = client.apply(kConfigMaps, object, "hammer");
          ASSERT_TRUE(ok(written));
          if (i % 2 == 0) {
            informer.wrote(*written);  // read-your-writes
            const auto seen = informer.find(key(name));
            ASSERT_TRUE(seen);
            EXPECT_GE(std::stoi(*seen), i);
          }
        }
      });
  }
  std::map<Key, std::string> truth;
  ASSERT_TRUE(ok(client.list(kConfigMaps, ns, {.label_selector = "hammered=yes"},
                             [&](Json&& item) { truth[key(item["metadata"]["name"])] = item["data"]["n"]; })));
  const auto cached = [&] {
    std::map<Key, std::string> out;
    for (const auto& [key, value] : informer.all()) out[key] = *value;
    return out;
  };
  EXPECT_TRUE(eventually([&] { return informer.synced() && cached() == truth; }));
  informer.stop();
  EXPECT_EQ(cached(), truth);
  EXPECT_EQ(followed, truth);
}

using Elections = Suite;

TEST_F(Elections, TheNextOneLeadsOnceTheFirstReleased) {
  SystemClock clock;
  const auto config = [&](const char* name) {
    return ElectionConfig{.lease = key("leader"),
                          .identity = name,
                          .duration = seconds(60),
                          .renew_deadline = seconds(40),
                          .retry = milliseconds(300)};
  };
  Election first(client, clock, config("first")), second(client, clock, config("second"));
  ASSERT_TRUE(first.acquire({}));
  EXPECT_TRUE(first.is_leader());
  EXPECT_EQ(first.leader(), "first");
  std::jthread holder([&](const std::stop_token& stop) { first.hold(stop); });
  std::atomic<bool> elected{false};
  std::jthread candidate([&](const std::stop_token& stop) { elected = second.acquire(stop); });
  EXPECT_TRUE(eventually([&] { return second.leader() == "first"; }));
  EXPECT_FALSE(elected);
  const auto start = std::chrono::steady_clock::now();
  holder.request_stop();
  holder.join();
  EXPECT_FALSE(first.is_leader());
  EXPECT_TRUE(eventually([&] { return elected.load(); }));
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(30));  // less than the duration of 60 s
  EXPECT_EQ(second.leader(), "second");
  const auto lease = client.get(kLeases, key("leader"));
  ASSERT_TRUE(ok(lease));
  EXPECT_EQ(lease->at("spec").at("holderIdentity"), "second");
  EXPECT_EQ(lease->at("spec").at("leaseTransitions"), 1);
}

TEST_F(Elections, ADeadLeadersLeaseIsTakenOnlyAfterItsDuration) {
  SystemClock clock;
  const auto config = [&](const char* name) {
    return ElectionConfig{.lease = key("leader"),
                          .identity = name,
                          .duration = seconds(2),
                          .renew_deadline = milliseconds(1500),
                          .retry = milliseconds(200)};
  };
  {
    Election first(client, clock, config("first"));
    ASSERT_TRUE(first.acquire({}));  // and is never heard of again
  }
  const auto start = std::chrono::steady_clock::now();
  Election second(client, clock, config("second"));
  ASSERT_TRUE(second.acquire({}));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(1900));
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(60));
}

using Events = Suite;

TEST_F(Events, RepeatsRaiseOneCount) {
  const auto made = client.create(kConfigMaps, config_map("a"));
  ASSERT_TRUE(ok(made));
  SystemClock clock;
  const ObjectRef object{"v1", "ConfigMap", ns, "a", made->at("metadata").at("uid")};
  std::map<std::string, Json> events;
  {
    EventRecorder recorder(client, clock, "conformance", "conformance-0");
    recorder.normal(object, "Promoted", "east is primary");
    recorder.normal(object, "Promoted", "east is primary");
    recorder.warning(object, "Fenced", "west is fenced");
    // At its end it writes what is queued for a second only.
    ASSERT_TRUE(eventually([&] {
      events.clear();
      const auto listed = client.list(kCoreEvents, ns, {.field_selector = "involvedObject.name=a"},
                                      [&](Json&& item) { events[item["reason"]] = item; });
      return listed && events.contains("Fenced") && events.contains("Promoted") && events["Promoted"]["count"] == 2;
    }));
  }
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events["Promoted"]["count"], 2);
  EXPECT_EQ(events["Promoted"]["type"], "Normal");
  EXPECT_EQ(events["Promoted"]["message"], "east is primary");
  EXPECT_EQ(events["Promoted"]["involvedObject"]["uid"], object.uid);
  EXPECT_EQ(events["Fenced"]["count"], 1);
  EXPECT_EQ(events["Fenced"]["type"], "Warning");
}

}  // namespace
}  // namespace twinspan::kube::conformance
