// Two buckets that clients write on both sides, and the worker between them.
#pragma once
#include "engines/s3/both_ways.hpp"
#include "engines/s3/likeness.hpp"
#include "engines/s3/origin.hpp"
#include "sync_world.hpp"

namespace twinspan::s3 {

struct TwoWayWorld : World {
  TwoWayWorld() {
    settings.both_ways = true;
    source.other = &target;
    target.other = &source;
    target.now = source.now;
    fresh();
  }
  // Another worker, that remembers nothing.
  void fresh() {
    transfers.reset();
    records.reset();
    both.reset();
    route = std::make_unique<Route>(settings, Side{source, source_prefix, "https://east"},
                                    Side{target, target_prefix, "https://west"}, clock);
    both = std::make_unique<BothWays>(*route, 1000);
    records = std::make_unique<UploadRecords>(*route);
    transfers = std::make_unique<Transfers>(*route, *records, both.get());
  }
  SyncProgress sync() {
    std::stop_source stop;
    source.died = target.died = [&] { stop.request_stop(); };
    SyncRun run(*route, *records, *transfers, both.get());
    SyncProgress progress = run.run(stop.get_token());
    dead_letters = transfers->dead_letters();
    if (stop.stop_requested()) fresh();
    return progress;
  }
  void tick(int seconds = 1) {
    source.now += std::chrono::seconds(seconds);
    target.now += std::chrono::seconds(seconds);
  }
  std::map<std::string, std::string> bodies(const FakeBucket& bucket, const std::string& prefix) const {
    std::map<std::string, std::string> out;
    for (const auto& [key, object] : bucket.objects_outside_state())
      if (key.starts_with(prefix)) out[key.substr(prefix.size())] = object.body;
    return out;
  }
  // Bodies of losers that were kept, on either side.
  std::multiset<std::string> kept() const {
    std::multiset<std::string> out;
    for (const FakeBucket* bucket : {&source, &target})
      for (const auto& [key, object] : bucket->objects())
        if (key.starts_with(".twinspan/conflicts/")) out.insert(object.body);
    return out;
  }
  void expect_equal() {
    EXPECT_EQ(bodies(source, source_prefix), bodies(target, target_prefix));
    for (const FakeBucket* bucket : {&source, &target}) {
      EXPECT_EQ(bucket->open_uploads(), 0u);
      for (const auto& [key, object] : bucket->objects()) {
        EXPECT_FALSE(key.starts_with(".twinspan/uploads/")) << key;
        EXPECT_FALSE(key.starts_with(".twinspan/probe/")) << key;
      }
    }
  }

  std::unique_ptr<Route> route;
  std::unique_ptr<BothWays> both;
  std::unique_ptr<UploadRecords> records;
  std::unique_ptr<Transfers> transfers;
};

}  // namespace twinspan::s3
