// Tails as objects, in a bucket, and what restore_command makes of them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "core/file.hpp"
#include "engines/postgres/archive/fetch.hpp"
#include "engines/postgres/archive/request.hpp"
#include "s3/client.hpp"
#include "s3/credentials.hpp"
#include "sandbox/s3/stub.hpp"

namespace twinspan::postgres {
namespace {

using backup::kSegmentBytes;
using backup::TailName;

constexpr const char* kStanza = "orders-1234-77";
constexpr const char* kPassphrase = "0123456789abcdef0123456789abcdef";
const WallTime kAt{std::chrono::seconds(1'795'998'962)};

TailName name_of(backup::Timeline timeline, uint64_t number, uint64_t bytes) {
  return {backup::segment_at(timeline, number * kSegmentBytes), number * kSegmentBytes + bytes};
}

std::string content(size_t bytes, char first = 'a') {
  std::string out(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(first + i * 131 + (i >> 9) * 17);
  return out;
}

SegmentReader reader(std::string bytes) {
  return [bytes = std::move(bytes)](const std::function<Status(std::string_view)>& piece) -> Status {
    for (size_t at = 0; at < bytes.size(); at += 100'000)
      if (Status fed = piece(std::string_view(bytes).substr(at, 100'000)); !fed) return fed;
    return {};
  };
}

class TailForms : public ::testing::TestWithParam<const char*> {
 protected:
  const std::shared_ptr<const s3::SealKey> key_ = tail_key(GetParam());
  std::string packed(const TailName& name, const std::string& bytes, const char* stanza = kStanza) {
    const auto object = pack_tail({stanza, name, kAt}, key_, reader(bytes));
    EXPECT_TRUE(object) << object.error().message;
    return object.value_or("");
  }
};

TEST_P(TailForms, WhatWasStoredComesBack) {
  for (const size_t bytes : {size_t{1}, size_t{40}, size_t{8192}, size_t{3'000'001}, size_t{kSegmentBytes}}) {
    const TailName name = name_of(3, 7, bytes);
    const std::string object = packed(name, content(bytes));
    const auto tail = unpack_tail(object, kStanza, name, key_);
    ASSERT_TRUE(tail) << tail.error().message;
    EXPECT_EQ(tail->head, (TailHead{kStanza, name, kAt}));
    EXPECT_EQ(tail->bytes, content(bytes));
  }
}

TEST_P(TailForms, ASegmentThatIsReadShortIsNotStored) {
  EXPECT_FALSE(pack_tail({kStanza, name_of(1, 2, 100), kAt}, key_, reader(content(99))));
  EXPECT_FALSE(pack_tail({kStanza, name_of(1, 2, 100), kAt}, key_, reader(content(101))));
}

TEST_P(TailForms, WhatIsNotWholeOrAnothersIsNeverOpened) {
  const TailName name = name_of(1, 2, 5000);
  const std::string object = packed(name, content(5000));
  for (size_t size = 0; size < object.size(); ++size)
    ASSERT_FALSE(unpack_tail(std::string_view(object).substr(0, size), kStanza, name, key_)) << size;
  EXPECT_FALSE(unpack_tail(object + "x", kStanza, name, key_));
  for (size_t at = 0; at < object.size(); ++at) {
    std::string changed = object;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    const auto opened = unpack_tail(changed, kStanza, name, key_);
    if (!opened) continue;
    EXPECT_EQ(opened->bytes, content(5000)) << "a bit that says nothing, at " << at;
  }
  for (const TailName& other : {name_of(1, 2, 4999), name_of(1, 2, 5001), name_of(2, 2, 5000), name_of(1, 3, 5000)})
    EXPECT_FALSE(unpack_tail(object, kStanza, other, key_)) << to_string(other);
  EXPECT_FALSE(unpack_tail(object, "orders-1234-78", name, key_)) << "another database's";
  EXPECT_FALSE(unpack_tail(object, kStanza, name, tail_key("another passphrase, 32 characters")));
}

TEST_P(TailForms, WithAPassphraseNothingPlainIsTaken) {
  const TailName name = name_of(1, 2, 5000);
  const auto plain = pack_tail({kStanza, name, kAt}, nullptr, reader(content(5000)));
  ASSERT_TRUE(plain);
  EXPECT_EQ(unpack_tail(*plain, kStanza, name, key_).has_value(), !key_);
  const auto sealed = pack_tail({kStanza, name, kAt}, tail_key(kPassphrase), reader(content(5000)));
  ASSERT_TRUE(sealed);
  EXPECT_EQ(unpack_tail(*sealed, kStanza, name, key_).has_value(), key_ != nullptr);
  EXPECT_EQ(sealed->find("segment"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Passphrases, TailForms, ::testing::Values("", kPassphrase));

TEST(TailPadding, KeepsWhatBelongsAndNothingElse) {
  const Tail tail{{kStanza, name_of(1, 2, 5000), kAt}, content(5000)};
  const uint64_t start = 2 * kSegmentBytes;
  for (const uint64_t kept : {uint64_t{0}, uint64_t{1}, uint64_t{4999}, uint64_t{5000}, uint64_t{kSegmentBytes}}) {
    const std::string file = padded_segment(tail, start + kept);
    ASSERT_EQ(file.size(), kSegmentBytes);
    const size_t bytes = std::min<size_t>(kept, 5000);
    EXPECT_EQ(file.substr(0, bytes), content(5000).substr(0, bytes));
    EXPECT_EQ(file.find_first_not_of('\0', bytes), std::string::npos) << kept;
  }
}

// restore_command against a bucket, with an archive whose answers are given.
class TailFetch : public ::testing::Test {
 protected:
  TailFetch() {
    stub_.create_bucket("bkp");
    EXPECT_TRUE(stub_.start());
    std::filesystem::create_directory(folder_);
  }
  ~TailFetch() override { std::filesystem::remove_all(folder_); }

  TailStore store(const char* passphrase = kPassphrase, const char* stanza = kStanza) {
    s3::ClientConfig config;
    config.endpoint = stub_.endpoint();
    config.bucket = "bkp";
    config.tries = 1;
    config.timeout = std::chrono::seconds(10);
    auto credentials = std::make_shared<s3::StaticCredentials>(s3::Credentials{"test", "test-secret"});
    return {std::make_unique<s3::Client>(config, credentials, clock_), "orders/", stanza, passphrase};
  }
  void put(const TailName& name, char first = 'a', const char* stanza = kStanza) {
    const size_t bytes = name.end - backup::start_of(name.segment);
    const Status done = store(kPassphrase, stanza).put(name, kAt, reader(content(bytes, first)), {});
    ASSERT_TRUE(done) << done.error().message;
  }
  std::string key(const TailName& name) { return std::string("orders/tail/") + kStanza + "/" + to_string(name); }

  FetchAnswer fetch(backup::Timeline timeline, const std::string& segment, const char* passphrase = kPassphrase) {
    std::filesystem::remove(to_);
    return postgres::fetch({timeline, segment, to_},
                           {[&](const std::string& name, const std::string& to) {
                              ++asked_;
                              if (on_ask_) on_ask_();
                              const auto there = archive_.find(name);
                              if (there == archive_.end()) return std::optional<int>(1);
                              std::FILE* out = std::fopen(to.c_str(), "w");
                              std::fputs(there->second.second.c_str(), out);
                              std::fclose(out);
                              return there->second.first;
                            },
                            [&](const std::string& of) { return store(passphrase).list(of, {}); },
                            [&](const TailName& name) { return store(passphrase).get(name, {}); }});
  }
  std::string got() { return read_file(to_).value_or("nothing"); }

  SystemClock clock_;
  s3_stub::Stub stub_{{}};
  const std::string folder_ = "/tmp/tail-fetch-" + std::to_string(getpid()), to_ = folder_ + "/RECOVERYXLOG";
  std::map<std::string, std::pair<std::optional<int>, std::string>> archive_;
  std::function<void()> on_ask_;
  int asked_ = 0;
  const TailName tail_ = name_of(1, 2, 5000);
};

TEST_F(TailFetch, TheArchiveComesFirst) {
  put(tail_);
  archive_[tail_.segment] = {0, "whole"};
  EXPECT_EQ(fetch(1, tail_.segment).code, 0);
  EXPECT_EQ(got(), "whole") << "a tail of a segment that is stored by now is of no use";
  for (const std::optional<int> code :
       {std::optional(42), std::optional(55), std::optional(103), std::optional<int>()}) {
    archive_[tail_.segment] = {code, ""};
    EXPECT_EQ(fetch(1, tail_.segment).code, kExitUnsure) << "the archive may have it";
  }
}

TEST_F(TailFetch, ThenTheLongestTailPaddedTwiceOver) {
  put(name_of(1, 2, 300), 'x');
  put(tail_);
  put(name_of(1, 3, 7), 'y');
  for (int time = 0; time < 2; ++time) {  // PostgreSQL reads the last segment twice
    const FetchAnswer answer = fetch(1, tail_.segment);
    EXPECT_EQ(answer.code, 0) << answer.words;
    const std::string file = got();
    ASSERT_EQ(file.size(), kSegmentBytes);
    EXPECT_EQ(file.substr(0, 5000), content(5000));
    EXPECT_EQ(file.find_first_not_of('\0', 5000), std::string::npos);
  }
}

TEST_F(TailFetch, WhatNeitherHasIsAbsent) {
  put(tail_);
  EXPECT_EQ(fetch(1, backup::segment_at(1, 3 * kSegmentBytes)).code, 1);
  EXPECT_EQ(asked_, 2) << "a segment may be stored, and its tail removed, between two questions";
  EXPECT_EQ(fetch(1, "00000002.history").code, 1);
  EXPECT_EQ(fetch(0, tail_.segment).code, 1) << "asked for the archive alone";
}

TEST_F(TailFetch, ASegmentThatIsStoredMeanwhileIsFound) {
  int time = 0;
  on_ask_ = [&] {
    if (++time == 2) archive_[tail_.segment] = {0, "whole"};
  };
  EXPECT_EQ(fetch(1, tail_.segment).code, 0);
  EXPECT_EQ(got(), "whole");
}

TEST_F(TailFetch, WhatCannotBeToldIsNeverAbsent) {
  put(tail_);
  EXPECT_EQ(fetch(1, tail_.segment, "another passphrase, 32 characters").code, kExitUnsure);
  EXPECT_EQ(fetch(1, tail_.segment, "").code, kExitUnsure) << "it is sealed, and there is no passphrase";
  const std::string whole = stub_.body("bkp", key(tail_)).value_or("");
  ASSERT_FALSE(whole.empty());
  stub_.add("bkp", key(tail_), whole.substr(0, whole.size() / 2));
  EXPECT_EQ(fetch(1, tail_.segment).code, kExitUnsure);
  stub_.add("bkp", key(tail_), "");
  EXPECT_EQ(fetch(1, tail_.segment).code, kExitUnsure);
  stub_.add("bkp", key(tail_), whole);
  EXPECT_EQ(fetch(1, tail_.segment).code, 0);
  for (const auto kind : {s3_stub::FaultKind::kDenied, s3_stub::FaultKind::kUnavailable, s3_stub::FaultKind::kCut}) {
    stub_.inject({.kind = kind, .count = 1 << 30});
    EXPECT_EQ(fetch(1, tail_.segment).code, kExitUnsure);
    EXPECT_EQ(fetch(1, backup::segment_at(1, 9 * kSegmentBytes)).code, kExitUnsure);
    stub_.clear_faults();
  }
}

TEST_F(TailFetch, ForeignTailsAreNotSeen) {
  put(tail_, 'z', "orders-1234-78");
  EXPECT_EQ(fetch(1, tail_.segment).code, 1) << "of another database";
  stub_.add("bkp", key(tail_), *stub_.body("bkp", std::string("orders/tail/orders-1234-78/") + to_string(tail_)));
  EXPECT_EQ(fetch(1, tail_.segment).code, kExitUnsure) << "copied under this one's name";
}

TEST_F(TailFetch, AnOldPrimarysTailIsCutWhereItWasLeft) {
  const uint64_t fork = 2 * kSegmentBytes + 1000;
  archive_["00000002.history"] = {0, "1\t0/20003E8\tno recovery target specified\n"};
  put(tail_);                     // 4000 bytes of it came after the fork
  put(name_of(1, 3, 10), 'x');    // all of it did
  put(name_of(2, 2, 2000), 'n');  // the new timeline
  EXPECT_EQ(fork, 0x20003E8u);
  ASSERT_EQ(fetch(2, tail_.segment).code, 0);
  EXPECT_EQ(got().substr(0, 1000), content(5000).substr(0, 1000));
  EXPECT_EQ(got().find_first_not_of('\0', 1000), std::string::npos);
  EXPECT_EQ(fetch(2, backup::segment_at(1, 3 * kSegmentBytes)).code, 1);
  ASSERT_EQ(fetch(2, backup::segment_at(2, 2 * kSegmentBytes)).code, 0);
  EXPECT_EQ(got().substr(0, 2000), content(2000, 'n'));
  // Nobody knows how far it goes where the history can't be read.
  for (const auto& history : {std::pair<std::optional<int>, std::string>{1, ""}, {103, ""}, {0, "what?\n"}}) {
    archive_["00000002.history"] = history;
    EXPECT_EQ(fetch(2, tail_.segment).code, kExitUnsure);
  }
}

TEST_F(TailFetch, TailsComeAndGo) {
  TailStore tails = store();
  put(tail_);
  put(name_of(1, 2, 6000));
  stub_.add("bkp", std::string("orders/tail/") + kStanza + "/notes.txt", "a person's");
  const auto all = tails.list("", {});
  ASSERT_TRUE(all);
  EXPECT_EQ(*all, (std::vector{tail_, name_of(1, 2, 6000)}));
  EXPECT_EQ(tails.newest(1, {}), (TailHead{kStanza, name_of(1, 2, 6000), kAt}));
  EXPECT_EQ(tails.newest(2, {}), std::nullopt);
  TailName later = name_of(1, 2, 5500);
  later.epoch = 2;
  put(later);
  EXPECT_EQ(tails.newest(1, {}), (TailHead{kStanza, later, kAt})) << "of the later epoch, though it is shorter";
  ASSERT_TRUE(tails.remove(later, {}));
  ASSERT_TRUE(tails.remove(tail_, {}));
  ASSERT_TRUE(tails.remove(tail_, {})) << "twice";
  EXPECT_EQ(tails.get(tail_, {}).error().code, Code::kNotFound);
  EXPECT_EQ(tails.list("", {})->size(), 1u);
}

}  // namespace
}  // namespace twinspan::postgres
