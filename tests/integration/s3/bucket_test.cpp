// What every S3 server has to do for the engine.
#include "integration/s3/world.hpp"
#include "net/http.hpp"
#include "pki/certificate.hpp"
#include "s3/digest.hpp"

namespace twinspan::s3::testing {
namespace {

using S3Bucket = WithBucket;

std::string bytes(size_t size, unsigned seed) {
  std::string out(size, '\0');
  uint32_t state = seed * 2654435761u + 1;
  for (char& c : out) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return out;
}

const std::vector<std::string> kAwkwardKeys{" leading space",
                                            "a b c",
                                            "a+b",
                                            "a%b",
                                            "a%2Fb",
                                            "trailing/",
                                            "ü/日本語/🙂",
                                            "quote\"'<>&",
                                            "x=1&y=2?z#",
                                            "semi;colon,@:$",
                                            "tilde~(star)*!",
                                            "back\\slash",
                                            "[brackets]{}|^`",
                                            "trailing space "};

TEST_F(S3Bucket, PutsAndReadsBackWhatWasPut) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{65537}, size_t{3000000}}) {
    const std::string body = bytes(size, 1), key = "of/" + std::to_string(size);
    EXPECT_EQ(put(key, body), to_hex(md5_of(body)));
    EXPECT_EQ(read(key), body);
    const auto head = client->head(key, {});
    ASSERT_TRUE(head) << head.error().message;
    EXPECT_EQ(head->object.size_bytes, static_cast<int64_t>(size));
    EXPECT_EQ(head->object.etag, to_hex(md5_of(body)));
    EXPECT_LT(std::chrono::abs(head->object.last_modified - SystemClock().wall_now()), std::chrono::minutes(2));
  }
}

TEST_F(S3Bucket, AwkwardKeysAreListedAsTheyWerePut) {
  std::vector<std::string> expected = kAwkwardKeys;
  expected.push_back(std::string(200, 'k') + "/" + std::string(200, 'l') + "/" + std::string(200, 'm'));
  std::vector<std::string> refused;
  for (const std::string& key : expected) {
    const auto done = client->put({.key = key}, key.ends_with('/') ? "" : key, {});
    EXPECT_TRUE(done) << key << ": " << done.error().message;
    if (!done) refused.push_back(key);
  }
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(keys(), expected);
  for (const std::string& key : expected) {
    if (!key.ends_with('/')) {
      EXPECT_EQ(read(key), key);
    }
  }
  const auto removed = client->remove(expected, {});
  ASSERT_TRUE(removed) << removed.error().message;
  for (const DeleteResult& one : *removed) EXPECT_TRUE(one.outcome) << one.key << ": " << one.outcome.error().message;
  EXPECT_EQ(keys(), std::vector<std::string>());
}

// Servers on file systems take "a/../b" for "b" (Versity S3 Gateway) or "/a" for "a" (MinIO): one key, two names.
TEST_F(S3Bucket, KeysThatClimbStayWithinTheirBucket) {
  for (const std::string key : {"../up", "a/../b", "./here", "/leading", "double//slash"}) {
    const auto done = client->put({.key = key}, "x", {});
    if (done) {
      const auto there = keys();
      ASSERT_EQ(there.size(), 1u) << key;
      if (!real_server()) {
        EXPECT_EQ(there[0], key);
      }
      EXPECT_EQ(read(key), "x");
      EXPECT_TRUE(client->remove(key, {}));
    } else {
      EXPECT_FALSE(done.error().retryable) << done.error().message;
    }
    EXPECT_EQ(keys(), std::vector<std::string>()) << key;
  }
}

TEST_F(S3Bucket, ListsPageByPageInOrderOfBytes) {
  std::vector<std::string> expected;
  for (int i = 0; i < 25; ++i) expected.push_back("k/" + std::to_string(i * 7919 % 100));
  expected.insert(expected.end(), {"A", "a", "z", "é"});
  for (const std::string& key : expected) put(key, key);
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(keys({.max_keys = 4}), expected);
  EXPECT_EQ(keys({.prefix = "k/9", .max_keys = 1}), [&] {
    auto some = expected;
    std::erase_if(some, [](const std::string& key) { return !key.starts_with("k/9"); });
    return some;
  }());
  EXPECT_EQ(keys({.start_after = "k/95"}),
            std::vector<std::string>(std::upper_bound(expected.begin(), expected.end(), "k/95"), expected.end()));
}

TEST_F(S3Bucket, ListingsTellSizeTimeAndEtag) {
  const std::string etag = put("one", "body");
  const auto page = client->list({}, {});
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(page->objects.size(), 1u);
  EXPECT_EQ(page->objects[0].etag, etag);
  EXPECT_EQ(page->objects[0].size_bytes, 4);
  EXPECT_LT(std::chrono::abs(page->objects[0].last_modified - SystemClock().wall_now()), std::chrono::minutes(2));
  EXPECT_EQ(page->next, "");
}

TEST_F(S3Bucket, DelimitersGatherCommonPrefixes) {
  for (const std::string key : {"a/1", "a/2", "b/1", "c", "d e/1"}) put(key, "x");
  ListRequest request{.delimiter = "/", .max_keys = 2};
  std::vector<std::string> objects, prefixes;
  do {
    const auto page = client->list(request, {});
    ASSERT_TRUE(page) << page.error().message;
    for (const Listed& one : page->objects) objects.push_back(one.key);
    prefixes.insert(prefixes.end(), page->common_prefixes.begin(), page->common_prefixes.end());
    request.continuation = page->next;
  } while (!request.continuation.empty());
  EXPECT_EQ(objects, std::vector<std::string>{"c"});
  EXPECT_EQ(prefixes, (std::vector<std::string>{"a/", "b/", "d e/"}));
}

TEST_F(S3Bucket, MetadataAndTagsComeBack) {
  PutRequest request;
  request.metadata.content_type = "text/x-awkward; charset=utf-8";
  request.metadata.content_encoding = "identity";
  request.metadata.cache_control = "max-age=60";
  request.metadata.content_disposition = "attachment; filename*=UTF-8''a%20b.txt";
  request.metadata.content_language = "de";
  request.metadata.user = {{"origin", "eu-1"}, {"percent", "100%25 sure"}};
  request.tags = {{"team", "blue/green @ +x"}, {"n", "1+1=2"}};
  put("k", "x", request);
  const auto head = client->head("k", {});
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->metadata.content_type, request.metadata.content_type);
  EXPECT_EQ(head->metadata.cache_control, request.metadata.cache_control);
  EXPECT_EQ(head->metadata.content_disposition, request.metadata.content_disposition);
  EXPECT_EQ(head->metadata.content_language, request.metadata.content_language);
  EXPECT_EQ(head->metadata.user, request.metadata.user);
  const auto tags = client->tags("k", {});
  ASSERT_TRUE(tags) << tags.error().message;
  EXPECT_EQ(*tags, request.tags);
  put("bare", "x");
  const auto none = client->tags("bare", {});
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_TRUE(none->empty());
}

TEST_F(S3Bucket, RangesAreReadExactly) {
  const std::string body = bytes(100000, 7);
  const std::string etag = put("k", body);
  for (const ByteRange range : {ByteRange{0, 1}, {0, 100000}, {99999, 1}, {500, 70000}, {5, 0}, {0, 0}}) {
    const auto out = fetch({.key = "k", .if_match = etag, .range = range});
    ASSERT_TRUE(out) << out.error().message;
    EXPECT_EQ(*out, range.size_bytes
                        ? body.substr(static_cast<size_t>(range.first), static_cast<size_t>(range.size_bytes))
                        : body.substr(static_cast<size_t>(range.first)));
  }
  std::string part;
  const auto head = client->get({.key = "k", .range = ByteRange{10, 5}},
                                [&](std::string_view piece) {
                                  part += piece;
                                  return true;
                                },
                                {});
  ASSERT_TRUE(head);
  EXPECT_EQ(head->object.size_bytes, 100000);
  EXPECT_EQ(code_of(fetch({.key = "k", .range = ByteRange{100000, 1}})), Code::kInvalid);
}

TEST_F(S3Bucket, WhatIsAbsentIsNotFound) {
  EXPECT_EQ(code_of(fetch({.key = "absent"})), Code::kNotFound);
  EXPECT_EQ(code_of(client->head("absent", {})), Code::kNotFound);
  EXPECT_TRUE(client->remove("absent", {}));
  EXPECT_EQ(code_of(client->list_parts({"absent", "00000000-0000-0000-0000-000000000000"}, {})), Code::kNotFound);
  EXPECT_EQ(code_of(make("no-such-bucket-here-" + client->name())->list({}, {})), Code::kNotFound);
}

TEST_F(S3Bucket, ReadingAnObjectThatChangedIsAConflict) {
  const std::string old = put("k", "first");
  put("k", "second");
  EXPECT_EQ(code_of(fetch({.key = "k", .if_match = old})), Code::kConflict);
}

TEST_F(S3Bucket, WritesCanBeConditional) {
  EXPECT_TRUE(client->put({.key = "k", .if_absent = true}, "1", {}));
  EXPECT_EQ(code_of(client->put({.key = "k", .if_absent = true}, "2", {})), Code::kAlreadyExists);
  const auto head = client->head("k", {});
  ASSERT_TRUE(head);
  EXPECT_EQ(code_of(client->put({.key = "k", .if_match = to_hex(md5_of("other"))}, "3", {})), Code::kConflict);
  EXPECT_TRUE(client->put({.key = "k", .if_match = head->object.etag}, "4", {}));
  EXPECT_EQ(read("k"), "4");
}

TEST_F(S3Bucket, ABodyThatDiffersFromItsDigestIsRefused) {
  EXPECT_TRUE(client->put({.key = "k", .content_md5 = base64_encode(md5_of("body"))}, "body", {}));
  EXPECT_EQ(code_of(client->put({.key = "k", .content_md5 = base64_encode(md5_of("body"))}, "bodz", {})),
            Code::kInvalid);
  EXPECT_EQ(read("k"), "body");
}

TEST_F(S3Bucket, CopiesWithinTheServer) {
  PutRequest request;
  request.metadata.user = {{"a", "1"}};
  const std::string etag = put("from ü+", "content", request);
  PutRequest to{.key = "to"};
  to.metadata.content_type = "text/plain";
  to.metadata.user = {{"a", "2"}};
  const auto copied = client->copy(client->name(), "from ü+", etag, to, {});
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_EQ(copied->etag, etag);
  EXPECT_EQ(read("to"), "content");
  const auto head = client->head("to", {});
  ASSERT_TRUE(head);
  EXPECT_EQ(head->metadata.user.at("a"), "2");
  EXPECT_EQ(code_of(client->copy(client->name(), "from ü+", to_hex(md5_of("else")), to, {})), Code::kConflict);
  EXPECT_EQ(code_of(client->copy(client->name(), "absent", "", to, {})), Code::kNotFound);
}

TEST_F(S3Bucket, UploadsInParts) {
  const std::string first = bytes(5 << 20, 1), second = bytes(1000, 2);
  PutRequest request{.key = "big file"};
  request.metadata.user = {{"a", "1"}};
  const auto id = client->create_upload(request, {});
  ASSERT_TRUE(id) << id.error().message;
  const Upload upload{"big file", *id};
  const auto listed = client->list_uploads("big file", {});
  ASSERT_TRUE(listed) << listed.error().message;
  ASSERT_EQ(listed->size(), 1u);
  EXPECT_EQ((*listed)[0].upload_id, *id);
  EXPECT_EQ((*listed)[0].key, "big file");
  std::vector<Part> parts;
  for (const auto& [number, body] : {std::pair(1, &first), {2, &second}}) {
    const auto part = client->upload_part(upload, number, *body, {});
    ASSERT_TRUE(part) << part.error().message;
    EXPECT_EQ(part->etag, to_hex(md5_of(*body)));
    parts.push_back(*part);
  }
  const auto known = client->list_parts(upload, {});
  ASSERT_TRUE(known) << known.error().message;
  ASSERT_EQ(known->size(), 2u);
  EXPECT_EQ((*known)[0].size_bytes, 5 << 20);
  EXPECT_EQ((*known)[1].etag, parts[1].etag);
  const auto done = client->complete_upload(upload, parts, {});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->etag, to_hex(md5_of(md5_of(first) + md5_of(second))) + "-2");
  EXPECT_EQ(read("big file"), first + second);
  const auto head = client->head_part("big file", 1, {});
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->object.size_bytes, 5 << 20);
  EXPECT_EQ(head->parts, 2);
  EXPECT_EQ(head->metadata.user.at("a"), "1");
  EXPECT_TRUE(client->list_uploads("big file", {})->empty());
}

// Parts pass through only under TLS, which the stub of the other tests does without: without it a body's digest goes
// before it.
class S3BucketOverTls : public WithBucket {
 protected:
  void SetUp() override {
    WithBucket::SetUp();
    if (client->streams()) return;
    if (real_server()) GTEST_SKIP() << "this server runs without TLS";
    const WallTime now = SystemClock().wall_now();
    const auto ca = pki::make_ca("s3", now - std::chrono::hours(1), now + std::chrono::hours(24));
    ASSERT_TRUE(ca) << ca.error().message;
    const auto server = pki::issue(*ca, {.common_name = "s3",
                                         .organization = {},
                                         .dns_names = {},
                                         .ip_addresses = {"127.0.0.1"},
                                         .server = true,
                                         .client = false,
                                         .not_before = now - std::chrono::hours(1),
                                         .not_after = now + std::chrono::hours(24)});
    ASSERT_TRUE(server) << server.error().message;
    s3_stub::StubOptions options;
    options.server.identity = net::TlsIdentity{server->certificate_pem, server->key_pem};
    secure_ = std::make_unique<s3_stub::Stub>(std::move(options));
    ASSERT_TRUE(secure_->start());
    ClientConfig config = config_of("over-tls");
    config.endpoint = secure_->endpoint();
    config.ca_pem = ca->certificate_pem;
    client = std::make_unique<Client>(config, credentials(), system_clock());
    ASSERT_TRUE(client->create_bucket({}));
  }

 private:
  std::unique_ptr<s3_stub::Stub> secure_;
};

TEST_F(S3BucketOverTls, PartsPassThroughWithoutBeingHeld) {
  ASSERT_TRUE(client->streams());
  const std::string body = bytes((5 << 20) + 100, 5);
  const auto id = client->create_upload({.key = "k"}, {});
  ASSERT_TRUE(id) << id.error().message;
  const Upload upload{"k", *id};
  const auto pieces = [](std::string_view all) {
    return [all](const std::function<bool(std::string_view)>& write) -> Status {
      for (size_t at = 0; at < all.size(); at += 10'000)
        if (!write(all.substr(at, 10'000))) break;
      return {};
    };
  };
  const std::string_view first = std::string_view(body).substr(0, 5 << 20),
                         second = std::string_view(body).substr(5 << 20);
  const auto one = client->stream_part(upload, 1, {5 << 20, pieces(first)}, {});
  ASSERT_TRUE(one) << one.error().message;
  EXPECT_EQ(one->etag, to_hex(md5_of(first)));
  const auto failed = client->stream_part(upload, 2,
                                          {100,
                                           [&](const std::function<bool(std::string_view)>& write) -> Status {
                                             write(second.substr(0, 50));
                                             return fail(Code::kConflict, "the source has changed");
                                           }},
                                          {});
  EXPECT_EQ(code_of(failed), Code::kConflict);  // the source's own error, and no part
  EXPECT_EQ(client->list_parts(upload, {})->size(), 1u);
  const auto two = client->stream_part(upload, 2, {100, pieces(second)}, {});
  ASSERT_TRUE(two) << two.error().message;
  ASSERT_TRUE(client->complete_upload(upload, {*one, *two}, {}));
  EXPECT_EQ(read("k"), body);
}

TEST_F(S3Bucket, PartsCanBeCopied) {
  const std::string body = bytes((5 << 20) + 100, 3);
  const std::string etag = put("from", body);
  const auto id = client->create_upload({.key = "to"}, {});
  ASSERT_TRUE(id) << id.error().message;
  const Upload upload{"to", *id};
  const auto first = client->copy_part(upload, 1, client->name(), "from", etag, {0, 5 << 20}, {});
  const auto second = client->copy_part(upload, 2, client->name(), "from", etag, {5 << 20, 100}, {});
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(second) << second.error().message;
  ASSERT_TRUE(client->complete_upload(upload, {*first, *second}, {}));
  EXPECT_EQ(read("to"), body);
}

TEST_F(S3Bucket, AbortedUploadsAreGone) {
  const auto id = client->create_upload({.key = "k"}, {});
  ASSERT_TRUE(id) << id.error().message;
  const Upload upload{"k", *id};
  ASSERT_TRUE(client->upload_part(upload, 1, "abc", {}));
  EXPECT_TRUE(client->abort_upload(upload, {}));
  EXPECT_TRUE(client->abort_upload(upload, {}));
  EXPECT_TRUE(client->list_uploads("k", {})->empty());
  EXPECT_EQ(code_of(client->upload_part(upload, 2, "abc", {})), Code::kNotFound);
}

TEST_F(S3Bucket, AnUnfinishedListOfPartsCannotBeCompleted) {
  const auto id = client->create_upload({.key = "k"}, {});
  ASSERT_TRUE(id) << id.error().message;
  const Upload upload{"k", *id};
  const auto part = client->upload_part(upload, 1, "abc", {});
  ASSERT_TRUE(part);
  EXPECT_EQ(code_of(client->complete_upload(upload, {{1, to_hex(md5_of("else")), 3}}, {})), Code::kInvalid);
  EXPECT_EQ(code_of(client->complete_upload(upload, {{1, part->etag, 3}, {2, part->etag, 3}}, {})), Code::kInvalid);
  EXPECT_TRUE(client->abort_upload(upload, {}));
}

TEST_F(S3Bucket, RemovesManyAtOnce) {
  std::vector<std::string> some;
  for (int i = 0; i < 30; ++i) some.push_back("k<" + std::to_string(i) + ">&");
  for (const std::string& key : some) put(key, "x");
  some.push_back("was never there");
  const auto out = client->remove(some, {});
  ASSERT_TRUE(out) << out.error().message;
  ASSERT_EQ(out->size(), 31u);
  for (const DeleteResult& one : *out) EXPECT_TRUE(one.outcome) << one.key;
  EXPECT_TRUE(keys().empty());
}

TEST_F(S3Bucket, WrongSecretsAreDenied) {
  for (const Credentials& wrong :
       {Credentials{"nobody", "x"},
        Credentials{real_server() ? environment("S3_ACCESS_KEY") : "test", "wrong-secret"}}) {
    Client other(config_of(client->name()), std::make_shared<StaticCredentials>(wrong), system_clock());
    EXPECT_EQ(code_of(other.list({}, {})), Code::kDenied);
    EXPECT_EQ(code_of(other.head("k", {})), Code::kDenied);
  }
}

TEST_F(S3Bucket, PresignedUrlsReadWithoutCredentials) {
  put("a b+ü", "content");
  const auto url = client->presign_get("a b+ü", std::chrono::seconds(60), {});
  ASSERT_TRUE(url) << url.error().message;
  const ClientConfig config = config_of(client->name());
  ASSERT_TRUE(url->starts_with(config.endpoint));
  net::Client plain(config.endpoint, {.ca_pem = config.ca_pem});
  const auto answer = plain.send({.path = url->substr(config.endpoint.size())});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "content");
}

TEST_F(S3Bucket, AClockThatIsOffIsCorrected) {
  struct Late final : Clock {
    BootTime boot_now() const override { return SystemClock().boot_now(); }
    WallTime wall_now() const override { return SystemClock().wall_now() - std::chrono::minutes(20); }
  };
  const Late late;
  Client other(config_of(client->name()), credentials(), late);
  EXPECT_TRUE(other.put({.key = "k"}, "x", {}));
  Client first_asks_head(config_of(client->name()), credentials(), late);
  EXPECT_TRUE(first_asks_head.head("k", {}));
}

TEST_F(S3Bucket, SaysWhetherItIsVersioned) {
  const auto out = client->versioned({});
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_FALSE(*out);
}

TEST_F(S3Bucket, ListsVersionsEvenWhereThereAreNone) {
  put("k", "x");
  put("l m", "x");
  const auto page = client->list_versions({}, {});
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(page->objects.size(), 2u);
  EXPECT_EQ(page->objects[1].key, "l m");
  EXPECT_TRUE(page->objects[1].latest);
}

// What deletes from versioned buckets build on.
TEST_F(S3Bucket, AVersionedBucketHasADeleteMarkerForWhatWasDeleted) {
  const Status kept = client->keep_versions({});
  ASSERT_TRUE(kept) << kept.error().message;
  EXPECT_TRUE(client->versioned({}).value_or(false));
  put("a", "one");
  const std::string second = put("a", "two");
  put("a-b", "x");  // not a/b: servers on file systems have either
  put("ab", "x");
  ASSERT_TRUE(client->remove("a", {}));
  EXPECT_EQ(code_of(client->head("a", {})), Code::kNotFound);
  ListRequest request;
  request.prefix = "a";
  auto page = client->list_versions(request, {});
  ASSERT_TRUE(page) << page.error().message;
  std::vector<Listed> of_a;
  for (const Listed& one : page->objects)
    if (one.key == "a") of_a.push_back(one);
  ASSERT_EQ(of_a.size(), 3u);
  EXPECT_TRUE(of_a[0].delete_marker && of_a[0].latest);
  EXPECT_FALSE(of_a[1].delete_marker || of_a[1].latest);
  EXPECT_EQ(of_a[1].etag, second);
  EXPECT_EQ(fetch({.key = "a", .version_id = of_a[2].version_id}).value_or(""), "one");
  EXPECT_EQ(client->head({"a", of_a[2].version_id}, {})->object.etag, of_a[2].etag);
  EXPECT_EQ(client->tags({"a", of_a[1].version_id}, {}).value_or(std::map<std::string, std::string>{{"x", "x"}}),
            (std::map<std::string, std::string>{}));
  EXPECT_EQ(keys(), (std::vector<std::string>{"a-b", "ab"}));
  // Page by page nothing is lost. (Versity S3 Gateway tells some twice.)
  std::set<std::pair<std::string, std::string>> seen;
  request.max_keys = 2;
  for (int pages = 0; pages < 10; ++pages) {
    page = client->list_versions(request, {});
    ASSERT_TRUE(page) << page.error().message;
    for (const Listed& one : page->objects) seen.emplace(one.key, one.version_id);
    if (page->next.empty()) break;
    request.continuation = page->next;
  }
  EXPECT_EQ(seen.size(), 5u);
  // The latest came back: no marker is the latest any more.
  put("a", "three");
  page = client->list_versions({.prefix = "a"}, {});
  ASSERT_TRUE(page);
  int latest = 0;
  for (const Listed& one : page->objects)
    if (one.key == "a" && one.latest) {
      ++latest;
      EXPECT_FALSE(one.delete_marker);
    }
  EXPECT_EQ(latest, 1);
  EXPECT_TRUE(client->add_delete_marker("a", {}));
  EXPECT_EQ(code_of(client->head("a", {})), Code::kNotFound);
}

// Each server holds to its preconditions or passes them over (a two-way link finds out which); none refuses what is
// met.
TEST_F(S3Bucket, PreconditionsThatAreMetHinderNothing) {
  const std::string etag = put("a", "one");
  EXPECT_TRUE(client->put({.key = "a", .if_match = etag}, "two", {}));
  EXPECT_TRUE(client->put({.key = "b", .if_absent = true}, "two", {}));
  const auto failed = client->put({.key = "a", .if_match = etag}, "three", {});
  if (!failed) {
    EXPECT_EQ(failed.error().code, Code::kConflict) << failed.error().message;
    EXPECT_EQ(read("a"), "two");
  }
  const auto upload = [&](const std::string& key, const WriteIf& only) -> Result<PutResult> {
    const auto id = client->create_upload({.key = key}, {});
    EXPECT_TRUE(id);
    const Upload begun{key, id.value_or("")};
    const auto part = client->upload_part(begun, 1, "part", {});
    EXPECT_TRUE(part);
    auto done = client->complete_upload(begun, {part.value_or(Part{})}, only, {});
    if (!done) {
      EXPECT_TRUE(client->abort_upload(begun, {}));
    }
    return done;
  };
  const auto met = upload("c", {.if_absent = true});
  ASSERT_TRUE(met) << met.error().message;
  EXPECT_TRUE(upload("c", {.if_match = met->etag}));
  const auto unmet = upload("c", {.if_match = "00000000000000000000000000000000"});
  if (!unmet) {
    EXPECT_EQ(unmet.error().code, Code::kConflict) << unmet.error().message;
  }
  if (!real_server()) {
    EXPECT_FALSE(unmet || failed);
  }
  RecordProperty("conditional_puts", failed ? "no" : "yes");
  RecordProperty("conditional_completes", unmet ? "no" : "yes");
  std::cout << "preconditions hold: of puts " << (failed ? "no" : "yes") << ", of completed uploads "
            << (unmet ? "no" : "yes") << "\n";
}

// Servers without a stream of notifications say so, the others tell of what happens.
TEST_F(S3Bucket, ListensWhereTheServerTells) {
  std::stop_source stop;
  std::string seen;
  std::mutex mutex;
  Status ended;
  std::jthread listener([&] {
    ended = client->listen(
        "in/",
        [&](std::string_view line) {
          std::lock_guard lock(mutex);
          seen += line;
          stop.request_stop();
          return true;
        },
        stop.get_token());
    stop.request_stop();
  });
  for (int i = 0; i < 1200 && !stop.stop_requested(); ++i) {
    put("in/k" + std::to_string(i), "x");
    wait_for(std::chrono::milliseconds(50), stop.get_token());
  }
  stop.request_stop();
  listener.join();
  ASSERT_FALSE(ended);
  if (ended.error().code == Code::kCancelled)
    EXPECT_NE(seen.find("in/k"), std::string::npos) << seen;
  else
    EXPECT_EQ(ended.error().code, Code::kInvalid) << ended.error().message;
}

}  // namespace
}  // namespace twinspan::s3::testing
