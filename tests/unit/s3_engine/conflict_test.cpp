#include "engines/s3/conflict.hpp"

#include <gtest/gtest.h>

#include "engines/s3/conflict_copy.hpp"
#include "engines/s3/likeness.hpp"
#include "fake_bucket.hpp"

namespace twinspan::s3 {
namespace {

using std::chrono::seconds;

constexpr WallTime kNoon{std::chrono::hours(500004)};

Present object(const std::string& etag, int64_t size, WallTime modified, Claim claim = {}) {
  return {etag, size, modified, std::move(claim)};
}
Claim claim(Proof proof, const std::string& of, WallTime written = kNoon - seconds(100)) {
  return {proof, of, written};
}

std::string text(const Ruling& ruling) {
  if (ruling.newer == Newer::kNeither) return "same";
  return std::string(ruling.newer == Newer::kSource ? "source" : "target") + (ruling.conflict ? ", conflict" : "");
}

// One side's possible markers, by what they say of the other side's object.
enum class Marker { kNone, kNamesPresent, kNamesOlder, kSealsPresent, kSealsOlder };
constexpr std::array kMarkers{Marker::kNone, Marker::kNamesPresent, Marker::kNamesOlder, Marker::kSealsPresent,
                              Marker::kSealsOlder};

Claim of(Marker marker, const std::string& present) {
  switch (marker) {
    case Marker::kNone: return {};
    case Marker::kNamesPresent: return claim(Proof::kNamed, present);
    case Marker::kNamesOlder: return claim(Proof::kNamed, "older");
    case Marker::kSealsPresent: return claim(Proof::kSealed, present);
    case Marker::kSealsOlder: return claim(Proof::kSealed, "older");
  }
  return {};
}

// Every pair of markers on two objects that differ in ETag, sizes being equal, nothing remembered, the source's date
// being a second later. Rows: the source's marker; columns: the target's, in the order of kMarkers. S, T: newer; s, t:
// newer, with a conflict; =: the same. A copy counts by its original's date: 100 seconds before noon.
TEST(Conflict, EveryPairOfMarkersIsRuledAsTheTableSays) {
  const std::array<std::string, 5> table{
      "s=s=S", "=====",
      "t=t=S",  // of two copies made from older ones at the same time the larger ETag wins: "t…" over "s…"
      "=====", "T=T=t",
  };
  for (size_t row = 0; row < kMarkers.size(); ++row)
    for (size_t column = 0; column < kMarkers.size(); ++column) {
      const Present source = object("source", 5, kNoon + seconds(1), of(kMarkers[row], "target"));
      const Present target = object("target", 5, kNoon, of(kMarkers[column], "source"));
      const Ruling ruling = rule_on(source, target, std::nullopt);
      char letter = ruling.newer == Newer::kNeither ? '=' : ruling.newer == Newer::kSource ? 'S' : 'T';
      if (ruling.conflict) letter = static_cast<char>(std::tolower(letter));
      EXPECT_EQ(letter, table[row][column]) << row << " " << column;
    }
}

// Both directions and every worker decide alike: exchanging the sides exchanges the ruling, in all small worlds.
TEST(Conflict, IsRuledTheSameFromBothSides) {
  std::vector<std::optional<SinceEqual>> pasts{std::nullopt};
  for (bool a : {false, true})
    for (bool b : {false, true}) pasts.push_back(SinceEqual{a, b});
  int rulings = 0;
  for (Marker ours : kMarkers)
    for (Marker theirs : kMarkers)
      for (const auto& since : pasts)
        for (int64_t size : {0, 5, 6})
          for (const char* etag : {"a", "b", "c"})
            for (int later : {-1, 0, 1}) {
              const Present a = object(etag, size, kNoon + seconds(later), of(ours, "b"));
              const Present b = object("b", 5, kNoon, of(theirs, etag));
              auto mirrored = since;
              if (mirrored) std::swap(mirrored->source_unchanged, mirrored->target_unchanged);
              const Ruling one = rule_on(a, b, since), other = rule_on(b, a, mirrored);
              EXPECT_EQ(one.conflict, other.conflict);
              const bool both_same = one.newer == Newer::kNeither && other.newer == Newer::kNeither;
              EXPECT_TRUE(both_same || (one.newer == Newer::kSource && other.newer == Newer::kTarget) ||
                          (one.newer == Newer::kTarget && other.newer == Newer::kSource))
                  << text(one) << " / " << text(other);
              if (a.size_bytes != b.size_bytes && (!since || !since->source_unchanged || !since->target_unchanged)) {
                EXPECT_NE(one.newer, Newer::kNeither);
              }
              ++rulings;
            }
  EXPECT_EQ(rulings, 5 * 5 * 5 * 3 * 3 * 3);
}

TEST(Conflict, WhatIsRememberedAsTheSameTellsWhoChanged) {
  const Present a = object("a", 5, kNoon), b = object("b", 5, kNoon + seconds(9));
  EXPECT_EQ(text(rule_on(a, b, SinceEqual{true, true})), "same");
  EXPECT_EQ(text(rule_on(a, b, SinceEqual{false, true})), "source");
  EXPECT_EQ(text(rule_on(a, b, SinceEqual{true, false})), "target");
  EXPECT_EQ(text(rule_on(a, b, SinceEqual{false, false})), "target, conflict");
}

// Clients are sent to the source; who wrote to the target in the same second had not heard of it, and was earlier.
TEST(Conflict, OfOneSecondTheSourceThatLeadsWinsWhateverTheEtags) {
  for (const auto& [ours, theirs] : {std::pair{"a", "b"}, {"b", "a"}}) {
    const Present source = object(ours, 5, kNoon, {}), target = object(theirs, 5, kNoon, {});
    const Ruling wins{Newer::kSource, true}, loses{Newer::kTarget, true};
    EXPECT_EQ(rule_on(source, target, std::nullopt, Turned{}), wins);
    EXPECT_EQ(rule_on(source, object(theirs, 5, kNoon + seconds(1), {}), std::nullopt, Turned{}), loses);
    EXPECT_EQ(rule_on(source, target, std::nullopt), std::string(ours) > theirs ? wins : loses);
  }
}

// Rows: the source's was there before clients were sent there or not, and the target's was written since both were the
// same or not, or that is not known. Columns: how many seconds the source's date is later. Where one of them alone was
// written since, dates of two clocks say nothing.
TEST(Conflict, AfterAChangeOfDirectionWhatIsFromBeforeItLosesToWhatWasWrittenSince) {
  const std::vector<std::tuple<Turned, std::string>> table{
      {{true, true}, "tttt"},  {{true, false}, "ttss"},  {{true, std::nullopt}, "ttss"},
      {{false, true}, "tsss"}, {{false, false}, "ssss"}, {{false, std::nullopt}, "tsss"}};
  for (const auto& [turned, row] : table) {
    for (const auto& [ours, theirs] : {std::pair{"a", "b"}, {"b", "a"}}) {
      std::string ruled;
      for (int later : {-60, 0, 1, 60}) {
        const Ruling ruling =
            rule_on(object(ours, 5, kNoon + seconds(later)), object(theirs, 5, kNoon), std::nullopt, turned);
        EXPECT_TRUE(ruling.conflict) << "who loses is kept";
        ruled += ruling.newer == Newer::kSource ? 's' : 't';
      }
      EXPECT_EQ(ruled, row) << turned.source_before;
    }
  }
}

TEST(Conflict, ACopyIsAsOldAsItsOriginal) {
  const Present copy = object("c", 5, kNoon + seconds(9), claim(Proof::kNamed, "gone", kNoon - seconds(60)));
  const Present own = object("o", 6, kNoon);
  EXPECT_EQ(text(rule_on(copy, own, std::nullopt)), "target, conflict");
}

TEST(Origin, ASealHoldsForThePlaceTheKeyAndTheBytesOnly) {
  Metadata metadata;
  mark_copy(metadata, {"place", "key", "etag", kNoon}, "copy");
  const Claim genuine = claim_of(metadata, "place", "key", "copy");
  EXPECT_EQ(genuine.proof, Proof::kSealed);
  EXPECT_EQ(genuine.source_etag, "etag");
  EXPECT_EQ(genuine.source_modified, kNoon);
  EXPECT_EQ(claim_of(metadata, "elsewhere", "key", "copy").proof, Proof::kNone);  // another link's source
  EXPECT_EQ(claim_of(metadata, "place", "renamed", "copy").proof, Proof::kNone);  // copied within the bucket
  EXPECT_EQ(claim_of(metadata, "place", "key", "edited").proof, Proof::kNone);    // sent back with its metadata
  for (std::string_view name : {kSourceEtagName, kSourceModifiedName}) {
    Metadata forged = metadata;
    forged.user[std::string(name)] = "2001-01-01T00:00:00Z";
    EXPECT_EQ(claim_of(forged, "place", "key", "copy").proof, Proof::kNone);
  }
}

TEST(Origin, WithoutAForetoldEtagOnlyTheNameIsSealed) {
  Metadata metadata;
  mark_copy(metadata, {"place", "key", "etag", kNoon}, "");
  EXPECT_EQ(claim_of(metadata, "place", "key", "any").proof, Proof::kNamed);
  EXPECT_EQ(claim_of(metadata, "place", "renamed", "any").proof, Proof::kNone);
  Metadata one_way;
  one_way.user[std::string(kSourceEtagName)] = "etag";
  EXPECT_EQ(claim_of(one_way, "place", "key", "any").proof, Proof::kNamed);
  EXPECT_EQ(claim_of({}, "place", "key", "any").proof, Proof::kNone);
  unmark(metadata);
  EXPECT_TRUE(metadata.user.empty());
}

TEST(ConflictCopy, IsNamedReadablyAndNoTwoKeysMeet) {
  EXPECT_EQ(conflict_name("daily/db.tar", "abc-2"), ".twinspan/conflicts/daily/db.tar/abc-2");
  std::set<std::string> names;
  const std::vector<std::string> keys{
      "a", "a/", "/a", "a//b", "a/../b", "a/./b", "..", "a__b", std::string(1024, 'k'), std::string(1023, 'k') + "l"};
  for (const std::string& key : keys) {
    const std::string name = conflict_name(key, std::string(38, 'e'));
    EXPECT_LE(name.size(), 1024u);
    EXPECT_EQ(name.find("//"), name.npos);
    EXPECT_EQ(name.find("/../"), name.npos);
    EXPECT_TRUE(names.insert(name).second) << name;
  }
}

TEST(ConflictCopy, KeepsWhatIsThereAndRefusesWhatHasChanged) {
  FakeBucket bucket("b");
  bucket.add("large", "content");
  Listed loser;
  loser.key = "large";
  loser.etag = bucket.objects()["large"].etag;
  loser.size_bytes = 7;
  ASSERT_TRUE(keep_loser({bucket}, loser, {}));
  EXPECT_EQ(bucket.objects()[conflict_name("large", loser.etag)].body, "content");
  loser.etag = "another";
  const Status changed = keep_loser({bucket}, loser, {});
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, Code::kConflict);
}

}  // namespace
}  // namespace twinspan::s3
