#include "s3/answer.hpp"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <random>

#include "s3/body.hpp"
#include "s3/refusal.hpp"

namespace twinspan::s3::testing {
namespace {

const std::string kList = R"(<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>a+</Prefix><MaxKeys>2</MaxKeys>
<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>t+/=%41</NextContinuationToken>
<Contents><Key>a+b%2Bc/%C3%BC</Key><LastModified>2026-11-21T09:43:00.125Z</LastModified><ETag>&quot;d41d8&quot;</ETag>
<Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>
<CommonPrefixes><Prefix>p%20q/</Prefix></CommonPrefixes></ListBucketResult>)";
const std::string kVersions = R"(<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k
l</NextKeyMarker><NextVersionIdMarker>v1</NextVersionIdMarker>
<Version><Key>k</Key><VersionId>v2</VersionId><IsLatest>false</IsLatest><LastModified>2026-11-21T09:43:00Z</LastModified>
<ETag>"e"</ETag><Size>1</Size></Version><DeleteMarker><Key>k</Key><VersionId>v3</VersionId><IsLatest>true</IsLatest>
<LastModified>2026-11-21T09:44:00Z</LastModified></DeleteMarker></ListVersionsResult>)";
const std::string kUploads =
    R"(<ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
<NextKeyMarker>k+2</NextKeyMarker><NextUploadIdMarker>u2</NextUploadIdMarker>
<Upload><Key>k+1</Key><UploadId>u1</UploadId><Initiated>2026-11-21T09:43:00Z</Initiated></Upload></ListMultipartUploadsResult>)";
const std::string kParts =
    R"(<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker>
<Part><PartNumber>1</PartNumber><ETag>"e1"</ETag><Size>5</Size></Part><Part><PartNumber>2</PartNumber><ETag>"e2"</ETag>
<Size>6</Size></Part></ListPartsResult>)";
const std::string kDeleted = R"(<DeleteResult><Deleted><Key>a&lt;b</Key></Deleted><Deleted><Key> </Key></Deleted>
<Error><Key>c</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>)";
const std::string kTags =
    R"(<Tagging><TagSet><Tag><Key>a</Key><Value>1 &amp; 2</Value></Tag><Tag><Key>b</Key><Value/></Tag></TagSet></Tagging>)";
const std::string kError =
    R"(<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce</Message></Error>)";
const std::string kCompleted = R"(<CompleteMultipartUploadResult><ETag>"abc-2"</ETag></CompleteMultipartUploadResult>)";
const std::string kSession = R"(<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>t</SessionToken><Expiration>2026-11-21T10:43:00Z</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>)";

WallTime at(const char* text) { return *parse_rfc3339(text); }

TEST(Answer, ListsAreDecoded) {
  const auto page = parse_list(kList);
  ASSERT_TRUE(page) << page.error().message;
  Listed expected;
  expected.key = "a b+c/ü";
  expected.etag = "d41d8";
  expected.size_bytes = 7;
  expected.last_modified = at("2026-11-21T09:43:00.125Z");
  expected.storage_class = "STANDARD";
  EXPECT_EQ(page->objects, std::vector<Listed>{expected});
  EXPECT_EQ(page->common_prefixes, std::vector<std::string>{"p q/"});
  EXPECT_EQ(page->next, "t+/=%41");  // opaque: not encoded
}

TEST(Answer, KeysAreTakenAsTheyAreWithoutEncoding) {
  std::string text = kList;
  text.replace(text.find("<EncodingType>url</EncodingType>"), 32, "");
  EXPECT_EQ(parse_list(text)->objects[0].key, "a+b%2Bc/%C3%BC");
}

TEST(Answer, AMissingFieldIsNamed) {
  for (const auto& [field, whole] :
       {std::pair("Key", std::string("<Key>a+b%2Bc/%C3%BC</Key>")),
        {"LastModified", "<LastModified>2026-11-21T09:43:00.125Z</LastModified>"},
        {"Size", "<Size>7</Size>"},
        {"IsTruncated", "<IsTruncated>true</IsTruncated>"},
        {"NextContinuationToken", "<NextContinuationToken>t+/=%41</NextContinuationToken>"}}) {
    std::string text = kList;
    ASSERT_NE(text.find(whole), std::string::npos);
    text.replace(text.find(whole), whole.size(), "");
    const auto page = parse_list(text);
    ASSERT_FALSE(page) << field;
    EXPECT_EQ(page.error().code, Code::kInvalid);
    EXPECT_NE(page.error().message.find(std::string("no ") + field), std::string::npos) << page.error().message;
  }
}

TEST(Answer, AWrongValueIsShown) {
  std::string text = kList;
  text.replace(text.find("<Size>7"), 7, "<Size>7x");
  EXPECT_EQ(parse_list(text).error().message, "ListBucketResult: Size \"7x\": expected a number");
}

TEST(Answer, VersionsComeWithTheirMarkersNewestFirst) {
  const auto page = parse_versions(kVersions);
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(page->objects.size(), 2u);
  EXPECT_TRUE(page->objects[0].delete_marker);
  EXPECT_TRUE(page->objects[0].latest);
  EXPECT_EQ(page->objects[1].version_id, "v2");
  EXPECT_FALSE(page->objects[1].latest);
  EXPECT_EQ(split_marker(page->next), (std::pair<std::string, std::string>("k\nl", "v1")));
}

// Versity S3 Gateway writes all markers, then all versions; its dates of versions are to the second.
TEST(Answer, MarkersAndVersionsThatAreWrittenApartAreMerged) {
  const auto entry = [](const char* kind, const char* key, const char* id, const char* date, const char* latest) {
    return fmt::format(
        "<{0}><Key>{1}</Key><VersionId>{2}</VersionId><LastModified>{3}</LastModified><IsLatest>{4}</IsLatest>"
        "<Size>1</Size></{0}>",
        kind, key, id, date, latest);
  };
  const auto order = [&](const std::vector<std::string>& entries) {
    const auto page = parse_versions(fmt::format(
        "<ListVersionsResult><IsTruncated>false</IsTruncated>{}</ListVersionsResult>", fmt::join(entries, "")));
    std::vector<std::string> ids;
    for (const Listed& one : page->objects) ids.push_back(one.key + one.version_id);
    return ids;
  };
  const char *early = "2026-11-21T20:30:36Z", *late = "2026-11-21T20:30:36.687829984Z";
  EXPECT_EQ(order({entry("DeleteMarker", "a", "01M7ZWVG4E41J7K9NWRE32DMAN", late, "false"),
                   entry("DeleteMarker", "a", "01M7ZWVG464W6V8KBHY69FXCPQ", late, "false"),
                   entry("Version", "a", "01M7ZWVG4KD5RT82B3DNQJGKZR", early, "true"),
                   entry("Version", "a", "01M7ZWVG492ZRTERNKP2E9ECHZ", early, "false"),
                   entry("Version", "b", "01M7ZWVG4WWNM4DWHCKPGAGPHG", early, "true")}),
            (std::vector<std::string>{"a01M7ZWVG4KD5RT82B3DNQJGKZR", "a01M7ZWVG4E41J7K9NWRE32DMAN",
                                      "a01M7ZWVG492ZRTERNKP2E9ECHZ", "a01M7ZWVG464W6V8KBHY69FXCPQ",
                                      "b01M7ZWVG4WWNM4DWHCKPGAGPHG"}));
  // In one second, with ids that say nothing: as it was written.
  EXPECT_EQ(order({entry("DeleteMarker", "a", "x", early, "false"), entry("Version", "a", "y", early, "false")}),
            (std::vector<std::string>{"ax", "ay"}));
  EXPECT_EQ(order({entry("Version", "a", "3", early, "true"), entry("DeleteMarker", "a", "2", late, "false"),
                   entry("Version", "a", "1", late, "false")}),
            (std::vector<std::string>{"a3", "a2", "a1"}));
}

TEST(Answer, UploadsAndPartsAreRead) {
  const auto uploads = parse_uploads(kUploads);
  ASSERT_TRUE(uploads) << uploads.error().message;
  ASSERT_EQ(uploads->uploads.size(), 1u);
  EXPECT_EQ(uploads->uploads[0].key, "k 1");
  EXPECT_EQ(uploads->uploads[0].initiated, at("2026-11-21T09:43:00Z"));
  EXPECT_EQ(uploads->next_key, "k 2");
  EXPECT_EQ(uploads->next_upload_id, "u2");
  const auto parts = parse_parts(kParts);
  ASSERT_TRUE(parts) << parts.error().message;
  ASSERT_EQ(parts->parts.size(), 2u);
  EXPECT_EQ(parts->parts[1].etag, "e2");
  EXPECT_EQ(parts->parts[1].size_bytes, 6);
  EXPECT_EQ(parts->next, 2);
}

TEST(Answer, EveryKeyOfABatchHasAnOutcome) {
  const auto out = parse_deleted(kDeleted, {"c", " ", "a<b", "forgotten"});
  ASSERT_TRUE(out) << out.error().message;
  ASSERT_EQ(out->size(), 4u);
  EXPECT_EQ((*out)[0].outcome.error().code, Code::kDenied);
  EXPECT_TRUE((*out)[1].outcome);
  EXPECT_TRUE((*out)[2].outcome);
  EXPECT_EQ((*out)[3].outcome.error().code, Code::kInvalid);
}

TEST(Answer, TagsSessionsAndResultsAreRead) {
  EXPECT_EQ(*parse_tags(kTags), (std::map<std::string, std::string>{{"a", "1 & 2"}, {"b", ""}}));
  EXPECT_EQ(*parse_etag(kCompleted), "abc-2");
  EXPECT_TRUE(*parse_versioning("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"));
  EXPECT_FALSE(*parse_versioning("<VersioningConfiguration/>"));
  std::string id, secret, token;
  EXPECT_EQ(*parse_session(kSession, id, secret, token), "2026-11-21T10:43:00Z");
  EXPECT_EQ(id + secret + token, "ASIAst");
}

TEST(Answer, ErrorsAreToldFromResults) {
  EXPECT_EQ(parse_refusal(kError)->code, "SlowDown");
  EXPECT_FALSE(parse_refusal(kCompleted));
  EXPECT_FALSE(parse_refusal("not XML, but Error"));
  EXPECT_EQ(parse_refusal("<ErrorResponse><Error><Code>ExpiredTokenException</Code></Error></ErrorResponse>")->code,
            "ExpiredTokenException");
}

// Whatever a server or the network makes of an answer, it is read or refused.
TEST(Answer, DamagedAnswersNeverCrash) {
  const auto read_all = [](const std::string& text) {
    std::string a, b, c;
    (void)parse_list(text);
    (void)parse_versions(text);
    (void)parse_uploads(text);
    (void)parse_parts(text);
    (void)parse_created_upload(text);
    (void)parse_etag(text);
    (void)parse_deleted(text, {"c"});
    (void)parse_tags(text);
    (void)parse_versioning(text);
    (void)parse_refusal(text);
    (void)parse_session(text, a, b, c);
  };
  std::minstd_rand random(4);
  for (const std::string& sample :
       {kList, kVersions, kUploads, kParts, kDeleted, kTags, kError, kCompleted, kSession}) {
    for (size_t size = 0; size < sample.size(); ++size) {
      const std::string cut = sample.substr(0, size);
      read_all(cut);
      EXPECT_FALSE(parse_list(cut)) << "a listing cut short must not look complete: " << size;
    }
    for (int round = 0; round < 400; ++round) {
      std::string text = sample;
      for (unsigned flips = 1 + random() % 4; flips > 0; --flips)
        text[random() % text.size()] = static_cast<char>(random() % 256);
      read_all(text);
    }
  }
}

net::Response head_answer(net::Headers headers) { return {.status = 200, .headers = std::move(headers), .body = ""}; }

TEST(Head, ReadsWhatTheHeadersSay) {
  const auto head = parse_head("k", head_answer({{"Content-Length", "5"},
                                                 {"etag", "\"e\""},
                                                 {"Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"},
                                                 {"X-Amz-Meta-Origin", "eu%20x"},
                                                 {"x-amz-checksum-crc32c", "yZRlqg=="},
                                                 {"x-amz-mp-parts-count", "3"},
                                                 {"x-amz-tagging-count", "2"},
                                                 {"Cache-Control", "no-store"}}));
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->object.key, "k");
  EXPECT_EQ(head->object.size_bytes, 5);
  EXPECT_EQ(head->object.etag, "e");
  EXPECT_EQ(head->object.last_modified, at("2015-10-21T07:28:00Z"));
  EXPECT_EQ(head->metadata.user, (std::map<std::string, std::string>{{"origin", "eu%20x"}}));
  EXPECT_EQ(head->metadata.cache_control, "no-store");
  EXPECT_EQ(head->checksums.at("crc32c"), "yZRlqg==");
  EXPECT_EQ(head->parts, 3);
  EXPECT_EQ(head->tags, 2);
}

TEST(Head, TheSizeOfARangeIsTheWholeObjects) {
  EXPECT_EQ(
      parse_head("k", head_answer({{"Content-Length", "5"}, {"Content-Range", "bytes 0-4/100"}}))->object.size_bytes,
      100);
  EXPECT_FALSE(parse_head("k", head_answer({{"Content-Length", "5"}, {"Content-Range", "bytes 0-4/*"}})));
  EXPECT_FALSE(parse_head("k", head_answer({})));
  EXPECT_FALSE(parse_head("k", head_answer({{"Content-Length", "-5"}})));
}

TEST(Head, OnlyTheOneFormOfDatesIsRead) {
  EXPECT_EQ(*parse_http_date("Sun, 29 Feb 2032 23:59:60 GMT"), at("2032-03-01T00:00:00Z"));
  for (const char* bad : {"", "Sun, 30 Feb 2032 00:00:00 GMT", "Sun, 01 Xyz 2032 00:00:00 GMT",
                          "Sun, 01 Jan 2032 24:00:00 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "2032-01-01T00:00:00Z"})
    EXPECT_FALSE(parse_http_date(bad)) << bad;
}

TEST(Refusal, CodesDecideBeforeTheStatus) {
  const auto code = [](int status, const char* name) { return to_error(status, {name, "", ""}).code; };
  EXPECT_EQ(code(404, "NoSuchKey"), Code::kNotFound);
  EXPECT_EQ(code(404, ""), Code::kNotFound);
  EXPECT_EQ(code(403, "AccessDenied"), Code::kDenied);
  EXPECT_EQ(code(400, "ExpiredToken"), Code::kDenied);
  EXPECT_EQ(code(503, "SlowDown"), Code::kThrottled);
  EXPECT_EQ(code(503, "ServiceUnavailable"), Code::kUnavailable);
  EXPECT_EQ(code(429, ""), Code::kThrottled);
  EXPECT_EQ(code(400, "RequestTimeout"), Code::kTimeout);
  EXPECT_EQ(code(412, "PreconditionFailed"), Code::kConflict);
  EXPECT_EQ(code(400, "BadDigest"), Code::kInvalid);
  EXPECT_EQ(code(501, "NotImplemented"), Code::kInvalid);
  EXPECT_EQ(code(0, "InternalError"), Code::kUnavailable);
  EXPECT_EQ(remedy_of(503, {"SlowDown", "", ""}), Remedy::kRepeat);
  EXPECT_EQ(remedy_of(403, {"RequestTimeTooSkewed", "", ""}), Remedy::kCorrectTime);
  EXPECT_EQ(remedy_of(403, {}), Remedy::kCredentials);
  EXPECT_EQ(remedy_of(404, {}), Remedy::kNone);
}

TEST(Body, XmlIsEscaped) {
  EXPECT_EQ(deletion_of({"a<b&\"c\"\n"}),
            "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>false</Quiet>"
            "<Object><Key>a&lt;b&amp;&quot;c&quot;&#10;</Key></Object></Delete>");
  EXPECT_EQ(tags_of({{"a b", "1&2"}, {"c", ""}}), "a%20b=1%262&c=");
}

TEST(Body, TheEtagOfAnUploadFollowsFromItsParts) {
  // md5 of the bytes of two empty MD5s.
  EXPECT_EQ(completed_etag({{1, "d41d8cd98f00b204e9800998ecf8427e", 0}, {2, "d41d8cd98f00b204e9800998ecf8427e", 0}}),
            "5873dd45edd01f09c1ef2e7819369e8e-2");
  EXPECT_EQ(completed_etag({{1, "not an md5", 0}}), "");
}

}  // namespace
}  // namespace twinspan::s3::testing
