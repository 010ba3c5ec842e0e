#include "worker/postgres/backup/in_place.hpp"

#include <fstream>
#include <map>
#include <sstream>

#include "unit/worker/folder.hpp"
#include "worker/postgres/backup/left_log.hpp"
#include "worker/postgres/backup/restored_mark.hpp"
#include "worker/postgres/memory_file.hpp"

namespace twinspan::worker {
namespace {

namespace fs = std::filesystem;

const WallTime kUntil = parse_rfc3339("2031-05-04T03:02:01Z").value();
const StoredMemory kBefore{{{6}, Epoch{5}, DataPart::kPrimary, std::chrono::seconds(15), {{{2}, {}}, {{5}, {0x9000}}}},
                           "7001"};

class Exchange : public InAFolder {
 protected:
  void put(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(dir_ + "/" + path).parent_path());
    std::ofstream(dir_ + "/" + path) << text;
  }
  std::string text_at(const std::string& path) const {
    std::ostringstream text;
    text << std::ifstream(dir_ + "/" + path).rdbuf();
    return text.str();
  }
  bool there(const std::string& path) const { return fs::exists(dir_ + "/" + path); }
  // Whole data, by whose words they can be told.
  void put_data(const std::string& where, const std::string& words) const {
    put(where + "/PG_VERSION", "15\n");
    put(where + "/whose", words);
  }
  // A primary beside whose data lies what was restored.
  void prepare() const {
    fs::remove_all(dir_);
    put_data("pgdata", "old");
    ASSERT_TRUE(write_memory(dir_, kBefore));
    put_data("restoring/pgdata", "restored");
    InPlace places(dir_);
    ASSERT_TRUE(places.mark_prepared({"back@1", "0/5000148"}));
  }
  void prepare_to_bring_back() const {
    prepare();
    InPlace places(dir_);
    ASSERT_TRUE(places.exchange({"back@1", Epoch{7}, kUntil, false}));
  }
  std::map<std::string, std::string> all() const {
    std::map<std::string, std::string> found;
    for (const auto& one : fs::recursive_directory_iterator(dir_)) {
      const std::string name = one.path().string().substr(dir_.size() + 1);
      found[name] = one.is_regular_file() ? text_at(name) : "";
    }
    return found;
  }
  // The steps that an exchange has; `order`: of what `begin` has laid out.
  int steps_of(const InPlace::Order& order, const std::function<void()>& begin) const {
    begin();
    int steps = 0;
    InPlace places(dir_);
    places.before_step = [&] {
      ++steps;
      return Status{};
    };
    const Status done = places.exchange(order);
    EXPECT_TRUE(done) << done.error().message;
    return steps;
  }
  // An agent that ends before the step of this number.
  static Status cut(InPlace& places, int before, const std::function<Status(InPlace&)>& act) {
    int steps = 0;
    places.before_step = [&] { return ++steps == before ? Status(fail(Code::kCancelled, "killed")) : Status{}; };
    return act(places);
  }
  void ends_alike_wherever_it_is_cut(const InPlace::Order& order, const std::function<void()>& begin) const {
    const int steps = steps_of(order, begin);
    ASSERT_GE(steps, 6);
    const auto whole = all();
    for (int first = 1; first <= steps; ++first) {
      for (int second = 1; second <= steps; ++second) {
        SCOPED_TRACE(std::to_string(first) + ", " + std::to_string(second));
        begin();
        const std::string memory = text_at("memory.json");
        InPlace killed(dir_);
        EXPECT_FALSE(cut(killed, first, [&](InPlace& places) { return places.exchange(order); }));
        const bool begun = killed.half_done();
        EXPECT_EQ(begun, first > 1);
        InPlace again(dir_);  // and is cut, too, unless it comes to its end before
        (void)cut(again, second, [](InPlace& places) { return places.roll_forward(); });
        InPlace last(dir_);
        const Status done = last.roll_forward();
        ASSERT_TRUE(done) << done.error().message;
        EXPECT_FALSE(last.half_done());
        if (!begun) {
          EXPECT_EQ(text_at("memory.json"), memory) << "nothing was begun, and nothing is changed";
          ASSERT_TRUE(last.exchange(order));
        }
        EXPECT_EQ(all(), whole);
      }
    }
  }
};

TEST_F(Exchange, PutsTheRestoredDataInTheirPlaceAndKeepsTheOthers) {
  prepare();
  InPlace places(dir_);
  EXPECT_EQ(places.prepared(), (PreparedData{"back@1", "0/5000148"}));
  EXPECT_FALSE(places.kept("back@1"));
  ASSERT_TRUE(places.exchange({"back@1", Epoch{7}, kUntil, false}));
  EXPECT_EQ(text_at("pgdata/whose"), "restored");
  EXPECT_EQ(text_at("before/back@1/pgdata/whose"), "old");
  EXPECT_FALSE(there("restoring"));
  EXPECT_FALSE(there("exchange.json"));
  EXPECT_FALSE(places.prepared());
  const auto kept = places.kept("back@1");
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->until, kUntil);
  EXPECT_FALSE(kept->restored);
  const auto mark = read_restored_mark(dir_);
  ASSERT_TRUE(mark);
  EXPECT_EQ(mark->restore, "back@1");
  EXPECT_EQ(mark->reached, "0/5000148");
  EXPECT_EQ(mark->until, "2031-05-04T03:02:01Z");
  EXPECT_FALSE(mark->opened) << "their owner has the password of then";
  EXPECT_FALSE(mark->brought_back);
}

// Else a replica of the old data would count as one that lacks nothing.
TEST_F(Exchange, WhatIsRestoredSharesNothingWithAnyOtherCopy) {
  prepare();
  InPlace places(dir_);
  ASSERT_TRUE(places.exchange({"back@1", Epoch{7}, kUntil, false}));
  const auto now = read_memory(dir_).value();
  ASSERT_TRUE(now);
  EXPECT_EQ(now->memory, (MemberMemory{{7}, Epoch{7}, DataPart::kPrimary, std::chrono::seconds(15), {{{7}, {}}}}));
  EXPECT_EQ(now->system_id, "7001");
  EXPECT_EQ(read_memory(dir_ + "/before/back@1").value(), kBefore);
}

TEST_F(Exchange, WhatWasSeenStaysSeen) {
  prepare();
  StoredMemory ahead = kBefore;
  ahead.memory.epoch_seen = Epoch{9};
  ASSERT_TRUE(write_memory(dir_, ahead));
  InPlace places(dir_);
  ASSERT_TRUE(places.exchange({"back@1", Epoch{7}, kUntil, false}));
  EXPECT_EQ(read_memory(dir_).value()->memory.epoch_seen, Epoch{9});
}

TEST_F(Exchange, WhatIsBroughtBackGoesOnWithItsOwnLog) {
  prepare_to_bring_back();
  InPlace places(dir_);
  ASSERT_TRUE(places.exchange({"back@1", Epoch{8}, kUntil, true}));
  EXPECT_EQ(text_at("pgdata/whose"), "old");
  EXPECT_EQ(text_at("before/back@1/pgdata/whose"), "restored");
  EXPECT_EQ(read_memory(dir_).value()->memory,
            (MemberMemory{{8}, Epoch{8}, DataPart::kPrimary, std::chrono::seconds(15), kBefore.memory.epochs}));
  const auto kept = places.kept("back@1");
  ASSERT_TRUE(kept);
  EXPECT_TRUE(kept->restored) << "they are not brought back a second time";
  const auto mark = read_restored_mark(dir_);
  ASSERT_TRUE(mark);
  EXPECT_TRUE(mark->brought_back);
  EXPECT_FALSE(mark->opened);
}

TEST_F(Exchange, EndsAlikeWhereverItIsCut) {
  ends_alike_wherever_it_is_cut({"back@1", Epoch{7}, kUntil, false}, [this] { prepare(); });
}

TEST_F(Exchange, OfWhatIsBroughtBackEndsAlikeWhereverItIsCut) {
  ends_alike_wherever_it_is_cut({"back@1", Epoch{8}, kUntil, true}, [this] { prepare_to_bring_back(); });
}

TEST_F(Exchange, NothingIsSaidOrTakenAwayWhileItIsHalfDone) {
  prepare();
  InPlace places(dir_);
  ASSERT_FALSE(cut(places, 4, [](InPlace& one) { return one.exchange({"back@1", Epoch{7}, kUntil, false}); }));
  EXPECT_TRUE(places.half_done());
  EXPECT_FALSE(places.prepared());
  EXPECT_FALSE(places.kept("back@1"));
  EXPECT_FALSE(places.forget_prepared("back@1"));
  EXPECT_TRUE(places.remove_kept(kUntil + std::chrono::hours(1), "").empty());
  EXPECT_EQ(text_at("restoring/pgdata/whose") + text_at("before/back@1/pgdata/whose"), "restoredold");
  places.while_waiting("back@1", false, [](const PreparedData&) { FAIL() << "they wait no more"; });
}

// A half of what is fetched, or what another order left, takes nobody's place.
TEST_F(Exchange, OnlyWhatIsWholeAndAskedForTakesThePlaceOfData) {
  prepare();
  InPlace places(dir_);
  EXPECT_FALSE(places.exchange({"back@2", Epoch{7}, kUntil, false}));
  fs::remove(dir_ + "/restoring/whole.json");
  EXPECT_FALSE(places.prepared());
  EXPECT_FALSE(places.exchange({"back@1", Epoch{7}, kUntil, false}));
  EXPECT_FALSE(places.exchange({"back@1", Epoch{7}, kUntil, true})) << "nothing was put aside";
  EXPECT_FALSE(places.half_done());
  EXPECT_EQ(text_at("pgdata/whose"), "old");
  EXPECT_EQ(read_memory(dir_).value(), kBefore);
}

TEST_F(Exchange, WhatIsNotAskedForGoesAndNothingElse) {
  prepare();
  put("tablespaces/restored-back@1/16400/file", "of the restored");
  put("tablespaces/1/16400/file", "in use");
  InPlace places(dir_);
  EXPECT_TRUE(places.has_leftovers());
  ASSERT_TRUE(places.forget_prepared("back@1"));
  EXPECT_FALSE(places.has_leftovers());
  EXPECT_FALSE(there("restoring"));
  EXPECT_FALSE(there("tablespaces/restored-back@1"));
  EXPECT_TRUE(there("tablespaces/1/16400/file"));
  EXPECT_EQ(text_at("pgdata/whose"), "old");
}

TEST_F(Exchange, TablespacesGoWithTheDataThatHaveThem) {
  prepare();
  const auto link = [&](const std::string& data, const std::string& place) {
    put(place + "/file", data);
    fs::create_directories(dir_ + "/" + data + "/pg_tblspc");
    fs::create_directory_symlink(dir_ + "/" + place, dir_ + "/" + data + "/pg_tblspc/16400");
  };
  link("pgdata", "tablespaces/1/16400");
  link("restoring/pgdata", "tablespaces/restored-back@1/16400");
  InPlace places(dir_);
  ASSERT_TRUE(places.exchange({"back@1", Epoch{7}, kUntil, false}));
  ASSERT_TRUE(places.forget_prepared("back@1"));
  EXPECT_TRUE(there("tablespaces/restored-back@1/16400/file")) << "they are in use";
  EXPECT_TRUE(there("tablespaces/1/16400/file")) << "they may be brought back";
  EXPECT_TRUE(places.remove_kept(kUntil - std::chrono::seconds(1), "").empty());
  EXPECT_TRUE(places.remove_kept(kUntil, "back@1").empty()) << "they are about to be brought back";
  EXPECT_EQ(places.remove_kept(kUntil, ""), std::vector<std::string>{"back@1"});
  EXPECT_FALSE(there("before/back@1"));
  EXPECT_FALSE(there("tablespaces/1/16400"));
  EXPECT_TRUE(there("tablespaces/restored-back@1/16400/file"));
  EXPECT_FALSE(places.kept("back@1"));
}

// Both histories are restorable to their ends.
TEST_F(Exchange, TheLogThatWasNotStoredIsFoundOldestFirst) {
  prepare_to_bring_back();
  InPlace places(dir_);
  EXPECT_EQ(places.all_kept(), std::vector<std::string>{dir_ + "/before/back@1/pgdata"});
  const std::string states = "before/back@1/pgdata/pg_wal/archive_status/";
  for (const char* name : {"000000010000000000000005.ready", "000000010000000000000004.ready",
                           "000000010000000000000003.done", "00000002.history.ready",
                           "000000010000000000000004.partial.ready", "000000010000000000000002.00000028.backup.ready"})
    put(states + name, "");
  EXPECT_EQ(left_log(places.all_kept().front()),
            (std::vector<std::string>{"000000010000000000000004", "000000010000000000000005"}));
}

// Nobody knows how long they were to be kept.
TEST_F(Exchange, WhatSaysNoTimeIsKept) {
  put_data("before/back@1/pgdata", "old");
  InPlace places(dir_);
  EXPECT_TRUE(places.remove_kept(kUntil, "").empty());
  put("before/back@1/about.json", R"({"restore":"back@1","until":"soon"})");
  EXPECT_TRUE(places.remove_kept(kUntil, "").empty());
  EXPECT_TRUE(there("before/back@1/pgdata/whose"));
}

}  // namespace
}  // namespace twinspan::worker
