// The examples of "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk" and
// "Authenticating Requests: Using Query Parameters" in the Amazon S3 API Reference.
#include "s3/sign.hpp"

#include <gtest/gtest.h>

#include "s3/digest.hpp"
#include "s3/uri.hpp"

namespace twinspan::s3::testing {
namespace {

constexpr const char* kAccessKeyId = "AKIAIOSFODNN7EXAMPLE";
constexpr const char* kSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
constexpr const char* kTime = "20130524T000000Z";
constexpr const char* kHost = "examplebucket.s3.amazonaws.com";

SigningKey key() { return {kSecret, "20130524", "us-east-1"}; }

// The signature alone; the host, the time and the payload's digest are added to `headers`.
std::string signature(const std::string& method, const std::string& path, const Parameters& query, net::Headers headers,
                      const std::string& body) {
  const std::string digest = to_hex(sha256_of(body));
  headers.emplace_back("Host", kHost);
  headers.emplace_back("x-amz-content-sha256", digest);
  headers.emplace_back("x-amz-date", kTime);
  const std::string parameters = canonical_query(query);
  const std::string out = authorization({method, path, parameters, headers, digest}, kTime, kAccessKeyId, key());
  return out.substr(out.find("Signature=") + 10);
}

TEST(Sign, AgreesWithThePublishedGetObject) {
  EXPECT_EQ(signature("GET", "/test.txt", {}, {{"Range", "bytes=0-9"}}, ""),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(Sign, AgreesWithThePublishedPutObject) {
  EXPECT_EQ(signature("PUT", "/" + encode_key("test$file.text"), {},
                      {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                      "Welcome to Amazon S3."),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(Sign, AgreesWithThePublishedBucketLifecycle) {
  EXPECT_EQ(signature("GET", "/", {{"lifecycle", ""}}, {}, ""),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(Sign, AgreesWithThePublishedListOfObjects) {
  EXPECT_EQ(signature("GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {}, ""),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(Sign, AgreesWithThePublishedPresignedUrl) {
  EXPECT_EQ(presigned_query("GET", kHost, "/test.txt", {}, kTime, std::chrono::seconds(86400), kAccessKeyId, "", key()),
            "X-Amz-Algorithm=AWS4-HMAC-SHA256"
            "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
            "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
            "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

TEST(Sign, WritesTheWholeHeader) {
  const net::Headers headers{{"host", kHost}};
  const std::string out = authorization({"GET", "/", "", headers, kUnsignedPayload}, kTime, kAccessKeyId, key());
  EXPECT_TRUE(
      out.starts_with("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                      "SignedHeaders=host,Signature="))
      << out;
}

TEST(Sign, HeadersAreSortedLoweredAndTrimmed) {
  const net::Headers headers{{"X-Amz-Meta-B", "  a   b  "}, {"host", "h"}, {"Content-Type", "text/plain"}};
  std::string names;
  EXPECT_EQ(canonical_request({"PUT", "/k", "a=1", headers, kUnsignedPayload}, names),
            "PUT\n/k\na=1\ncontent-type:text/plain\nhost:h\nx-amz-meta-b:a b\n\ncontent-type;host;x-amz-meta-b\n"
            "UNSIGNED-PAYLOAD");
  EXPECT_EQ(names, "content-type;host;x-amz-meta-b");
}

TEST(Sign, QueriesAreSortedByTheirEncodedNames) {
  EXPECT_EQ(canonical_query({{"prefix", "a b+/ü"}, {"list-type", "2"}, {"uploads", ""}}),
            "list-type=2&prefix=a%20b%2B%2F%C3%BC&uploads=");
}

TEST(Sign, TimeIsInUtcWithoutFractions) {
  EXPECT_EQ(signing_time(WallTime(std::chrono::seconds(1369353600) + std::chrono::microseconds(999999))), kTime);
}

TEST(Digest, AgreesWithThePublishedVectors) {
  EXPECT_EQ(to_hex(sha256_of("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(md5_of("message digest")), "f96b697d7cb7938d525a2f31aaf161d0");  // RFC 1321, A.5
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),            // RFC 4231, 4.3
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(base64_encode("fooba"), "Zm9vYmE=");  // RFC 4648, section 10
  EXPECT_EQ(base64_encode(""), "");
}

}  // namespace
}  // namespace twinspan::s3::testing
