// What is appended to a key's history at the target, for every short history on both sides.
#include "engines/s3/history.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace twinspan::s3 {
namespace {

// "1", "2" and "3" are contents, "D" is a delete marker; versions are numbered from `id` on.
Version version_of(char content, const std::string& id, bool opaque = false) {
  if (content == 'D') return {id, "", 0, true, {}};
  // ETags of an encrypting server have the form of a digest, too.
  return {id, fmt::format("{}{:031x}", content, opaque ? 1 : 0), 1, false, {}};
}

std::vector<std::string> all_words(size_t length_max, const std::string& letters) {
  std::vector<std::string> words{""};
  for (size_t i = 0; i < words.size(); ++i)
    if (words[i].size() < length_max)
      for (const char letter : letters) words.push_back(words[i] + letter);
  return words;
}

// Of several markers in a row only one says something.
std::string collapsed(std::string word) {
  word.erase(std::unique(word.begin(), word.end(), [](char a, char b) { return a == 'D' && b == 'D'; }), word.end());
  return word;
}

History history_of(const std::string& word) {
  History history;
  for (const char content : collapsed(word)) history.push_back(version_of(content, fmt::format("s{}", history.size())));
  return history;
}

// A bucket that keeps what is appended, and the marks of what we have written.
struct Target {
  bool opaque = false, keeps_marks = true;
  History history;
  std::vector<MadeFrom> marks;

  void write(const Version& version, const MadeFrom& mark) {
    if (version.delete_marker && !history.empty() && history.back().delete_marker) return;
    const char content = version.delete_marker ? 'D' : version.etag[0];
    history.push_back(version_of(content, fmt::format("t{}", history.size()), opaque));
    marks.push_back(keeps_marks ? mark : MadeFrom{});
  }
  void plant(const std::string& word) {
    for (const char content : word) write(version_of(content, ""), {});
  }
  std::string word() const {
    std::string word;
    for (const Version& one : history) word += one.delete_marker ? 'D' : one.etag[0];
    return word;
  }
  // As a worker does it, but for its death after `most` versions. How many were appended.
  size_t carry(const History& source, DeleteMode deletes = DeleteMode::kReplicate, size_t most = 100) {
    Histories both{source, history};
    AppendPlan plan = plan_append(deletes, both);
    if (plan.ask) {
      const std::string id = both.target[*plan.ask].id;
      for (size_t i = 0; i < history.size(); ++i)
        if (history[i].id == id) plan = plan_append(deletes, both, marks[i]);
      EXPECT_FALSE(plan.ask);
    }
    size_t done = 0;
    for (size_t i = plan.from; i < both.source.size() && done < most; ++i, ++done)
      write(both.source[i], {both.source[i].etag, both.source[i].id});
    return done;
  }
};

std::string without_leading_marker(const std::string& word) { return word.starts_with('D') ? word.substr(1) : word; }

TEST(History, WhereverTheWorkerDiesTheTargetEndsAsTheSourceIs) {
  for (const bool opaque : {false, true})
    for (const std::string& word : all_words(5, "12D")) {
      const History source = history_of(word);
      for (size_t first = 0; first <= source.size(); ++first) {
        Target target{opaque, true, {}, {}};
        target.carry(source, DeleteMode::kReplicate, first);
        target.carry(source);
        EXPECT_EQ(target.word(), without_leading_marker(collapsed(word))) << first;
        EXPECT_EQ(target.carry(source), 0u) << word << " " << first;
      }
    }
}

TEST(History, WhatRulesTakeAwayOnEitherSideIsNotMadeAgain) {
  for (const bool opaque : {false, true})
    for (const std::string& word : all_words(5, "12D")) {
      const History whole = history_of(word);
      if (whole.empty() || (whole.size() == 1 && whole[0].delete_marker)) continue;
      for (size_t ours = 0; ours < whole.size(); ++ours)
        for (size_t theirs = 0; theirs < whole.size(); ++theirs) {
          Target target{opaque, true, {}, {}};
          target.carry(whole);
          const size_t gone = std::min(theirs, target.history.size() - 1);
          target.history.erase(target.history.begin(), target.history.begin() + static_cast<ptrdiff_t>(gone));
          target.marks.erase(target.marks.begin(), target.marks.begin() + static_cast<ptrdiff_t>(gone));
          const History source(whole.begin() + static_cast<ptrdiff_t>(ours), whole.end());
          EXPECT_EQ(target.carry(source), 0u) << word << " " << ours << " " << theirs << (opaque ? " opaque" : "");
        }
    }
}

TEST(History, WhateverIsThereTheNewestIsTheSameAfterwardsAndNothingIsAppendedAgain) {
  for (const bool opaque : {false, true})
    for (const bool keeps_marks : {true, false}) {
      if (opaque && !keeps_marks) continue;  // nothing tells there, as with copies of the newest only
      for (const std::string& word : all_words(4, "12D")) {
        const History source = history_of(word);
        if (source.empty()) continue;
        for (const std::string& planted : all_words(4, "12D")) {
          Target target{opaque, keeps_marks, {}, {}};
          target.plant(planted);
          SCOPED_TRACE(
              fmt::format("{} onto {}{}{}", word, planted, opaque ? ", opaque" : "", keeps_marks ? "" : ", unmarked"));
          target.carry(source);
          // Where contents repeat and no mark tells them apart it may take a few times, never without end.
          for (size_t round = 0; !keeps_marks && round < source.size(); ++round) target.carry(source);
          const bool shown = !target.history.empty() && !target.history.back().delete_marker;
          EXPECT_EQ(shown, !source.back().delete_marker);
          if (shown) {
            EXPECT_EQ(target.history.back().etag[0], source.back().etag[0]);
          }
          EXPECT_EQ(target.carry(source), 0u);
        }
      }
    }
}

TEST(History, WithDeletesIgnoredContentsArriveAndNothingIsAppendedAgain) {
  for (const std::string& word : all_words(4, "12D"))
    for (const std::string& planted : all_words(2, "13D")) {
      const History source = history_of(word);
      Target target;
      target.plant(planted);
      SCOPED_TRACE(fmt::format("{} onto {}", word, planted));
      const size_t before = target.history.size();
      target.carry(source, DeleteMode::kIgnore);
      for (size_t i = before; i < target.history.size(); ++i) EXPECT_FALSE(target.history[i].delete_marker);
      if (!source.empty() && !source.back().delete_marker) {
        EXPECT_EQ(target.word().back(), source.back().etag[0]);
      }
      EXPECT_EQ(target.carry(source, DeleteMode::kIgnore), 0u);
    }
}

TEST(History, AVersionIdThatIsGivenAnewProvesNothing) {
  History source{version_of('1', "null")};
  Target target{true, true, {}, {}};
  target.carry(source);
  source[0] = version_of('2', "null");  // of the same size, while versioning was suspended
  EXPECT_EQ(target.carry(source), 1u);
  EXPECT_EQ(target.word(), "12");
}

TEST(History, MissingVersionsAreThoseThatAreNotThereInTheirOrder) {
  const auto missing = [](const std::string& source, const std::string& target) {
    return missing_versions(history_of(source), history_of(target), [](const Version&) { return MadeFrom{}; }).value();
  };
  EXPECT_EQ(missing("12D1", "12D1"), std::vector<size_t>{});
  EXPECT_EQ(missing("D12", "12"), std::vector<size_t>{});
  EXPECT_EQ(missing("12D1", "D1"), (std::vector<size_t>{0, 1}));
  EXPECT_EQ(missing("123", "13"), std::vector<size_t>{1});
  EXPECT_EQ(missing("12", "21"), std::vector<size_t>{0});
  EXPECT_EQ(missing("12", ""), (std::vector<size_t>{0, 1}));
}

}  // namespace
}  // namespace twinspan::s3
