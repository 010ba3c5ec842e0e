#include <gtest/gtest.h>

#include "controllers/link/certificates.hpp"
#include "controllers/link/worker_access.hpp"
#include "core/base64.hpp"
#include "link_world.hpp"

namespace twinspan::controllers::testing {
namespace {

using std::chrono::days;

const WallTime kNow = *parse_rfc3339("2026-11-21T10:00:00Z");

std::string data(const Json& secret, const char* key) { return *base64_decode(secret["data"][key].get<std::string>()); }

TEST(LinkCertificates, MembersGetWhatPostgresAndTheAgentNeed) {
  const World world;
  const Authority authority = *make_authority("orders", kNow);
  const Json secret = *render_certificates(*world.link, "east", {}, authority.issuer, authority.bundle_pem(), kNow);
  EXPECT_EQ(secret["metadata"]["name"], "orders-east-tls");
  const auto server = *pki::inspect(data(secret, "tls.crt")), client = *pki::inspect(data(secret, "client.crt"));
  EXPECT_EQ(server.dns_names, (std::vector<std::string>{"orders-east-0", "localhost"}));
  EXPECT_EQ(client.common_name, "twinspan_replication");
  for (const auto& facts : {server, client}) {
    EXPECT_EQ(facts.not_after, kNow + days(90));
    EXPECT_LT(facts.not_before, kNow);  // for clocks that are behind
  }
  EXPECT_TRUE(pki::issued_by(data(secret, "tls.crt"), data(secret, "ca.crt")));
  EXPECT_TRUE(pki::issued_by(data(secret, "client.crt"), data(secret, "ca.crt")));
  const Secret seen = *decode_secret(secret);
  EXPECT_EQ(seen.renew_at, kNow + days(60));
  EXPECT_FALSE(seen.hash.empty());
  EXPECT_TRUE(seen.issuer_key_pem.empty());  // a member's key never stays in the cache
}

// sslmode=verify-full against whatever a client calls a Service of a policy, on every member: any may be behind it.
TEST(LinkCertificates, ServersCarryTheNamesOfTheServices) {
  World world;
  const Authority authority = *make_authority("orders", kNow);
  const std::vector<std::string> services{"orders-ro", "orders-rw"};
  const Json secret =
      *render_certificates(*world.link, "west", services, authority.issuer, authority.bundle_pem(), kNow);
  EXPECT_EQ(pki::inspect(data(secret, "tls.crt"))->dns_names,
            (std::vector<std::string>{"orders-west-0", "localhost", "orders-ro", "orders-ro.shop", "orders-ro.shop.svc",
                                      "orders-ro.shop.svc.cluster.local", "orders-rw", "orders-rw.shop",
                                      "orders-rw.shop.svc", "orders-rw.shop.svc.cluster.local"}));
  EXPECT_EQ(decode_secret(secret)->services, "orders-ro,orders-rw");
  // Other Services, other certificates.
  world.services = services;
  EXPECT_EQ(lines(world.plan()),
            (Lines{"IssueCertificates east", "IssueCertificates west", "IssueCertificates west-2"}));
  for (World::Member& member : world.members) member.tls->services = "orders-ro,orders-rw";
  EXPECT_EQ(lines(world.plan()), Lines{});
  world.services.pop_back();
  EXPECT_EQ(lines(world.plan()).size(), 3u);
}

TEST(LinkCertificates, ClientsMountNoKey) {
  World world;
  world.ca->bundle_pem = "a certificate";
  world.ca_bundle.reset();
  EXPECT_EQ(lines(world.plan()), Lines{"Apply ConfigMap orders-ca"});
  EXPECT_EQ(render_ca_bundle(*world.link, "a certificate")["data"], Json::parse(R"({"ca.crt": "a certificate"})"));
}

TEST(LinkCertificates, AnyChangeOfASecretShows) {
  const World world;
  const Authority authority = *make_authority("orders", kNow);
  const Json secret = *render_certificates(*world.link, "east", {}, authority.issuer, authority.bundle_pem(), kNow);
  for (const char* key : {"tls.crt", "tls.key", "client.crt", "client.key", "ca.crt"}) {
    Json changed = secret;
    changed["data"][key] = base64_encode("something else");
    EXPECT_TRUE(decode_secret(changed)->hash.empty()) << key;
    changed["data"].erase(key);
    EXPECT_TRUE(decode_secret(changed)->hash.empty()) << key;
  }
}

TEST(LinkCertificates, TheLongestPodNameIsServed) {
  Json json = link_json();
  json["metadata"]["name"] = std::string(30, 'a');
  const World world(json);
  const std::string endpoint(30, 'b');
  const Authority authority = *make_authority(world.link->metadata.name, kNow);
  const auto secret = render_certificates(*world.link, endpoint, {}, authority.issuer, authority.bundle_pem(), kNow);
  ASSERT_TRUE(secret) << secret.error().message;
  EXPECT_EQ(pki::inspect(data(*secret, "tls.crt"))->dns_names[0], pod_name(std::string(30, 'a'), endpoint));
}

TEST(LinkCertificates, AnAuthorityIsReadAsItWasWritten) {
  const World world;
  Authority authority = *make_authority("orders", kNow);
  authority = *advance(authority, "orders", kNow + days(3000));  // with a successor
  ASSERT_TRUE(authority.successor);
  const Json secret = *render_authority(*world.link, authority);
  const auto read = read_authority(secret);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->issuer.certificate_pem, authority.issuer.certificate_pem);
  EXPECT_EQ(read->issuer.key_pem, authority.issuer.key_pem);
  EXPECT_EQ(read->successor->key_pem, authority.successor->key_pem);
  EXPECT_EQ(read->bundle_pem(), authority.bundle_pem());
}

// It was never issued with: another one is made, and what the issuer is good for goes on.
TEST(LinkCertificates, ADamagedSuccessorStopsNobody) {
  const World world;
  const Authority authority = *advance(*make_authority("orders", kNow), "orders", kNow + days(3000));
  const Json good = *render_authority(*world.link, authority);
  const std::string anothers = make_authority("else", kNow)->issuer.key_pem;
  for (const char* part : {"successor.crt", "successor.key"})
    for (const std::string& damage : {std::string("garbage"), std::string(), anothers}) {
      SCOPED_TRACE(part + (" " + damage));
      Json bad = good;
      bad["data"][part] = base64_encode(damage);
      const auto read = read_authority(bad);
      ASSERT_TRUE(read) << read.error().message;
      EXPECT_EQ(read->issuer.key_pem, authority.issuer.key_pem);
      EXPECT_FALSE(read->successor);
      const auto next = advance(*read, "orders", kNow + days(3000));
      ASSERT_TRUE(next) << next.error().message;
      ASSERT_TRUE(next->successor);
      EXPECT_NE(next->successor->key_pem, damage);
      // And what takes over can issue.
      const auto taken = advance(*next, "orders", kNow + days(3200));
      ASSERT_TRUE(taken) << taken.error().message;
      EXPECT_TRUE(read_authority(*render_authority(*world.link, *taken)));
    }
}

TEST(LinkCertificates, WhoeverIssuesIsInABundleThatWasCutShort) {
  const World world;
  const Authority authority = *advance(*make_authority("orders", kNow), "orders", kNow + days(3000));
  ASSERT_TRUE(authority.successor);
  Authority cut = authority;
  cut.trusted = {make_authority("else", kNow)->issuer.certificate_pem};
  const auto next = advance(cut, "orders", kNow + days(3000));
  ASSERT_TRUE(next) << next.error().message;
  for (const std::string& pem : authority.trusted)
    EXPECT_EQ(std::count(next->trusted.begin(), next->trusted.end(), pem), 1);
  EXPECT_EQ(advance(*next, "orders", kNow + days(3000))->trusted, next->trusted) << "once";
}

TEST(LinkCertificates, AnUnusableAuthorityIsRefused) {
  const World world;
  const Json good = *render_authority(*world.link, *make_authority("orders", kNow));
  for (const char* key : {"tls.crt", "tls.key"}) {
    Json bad = good;
    bad["data"][key] = base64_encode("garbage");
    EXPECT_FALSE(read_authority(bad)) << key;
    bad["data"].erase(key);
    EXPECT_FALSE(read_authority(bad)) << key;
  }
  Json without_bundle = good;
  without_bundle["data"].erase("ca.crt");
  EXPECT_EQ(read_authority(without_bundle)->trusted.size(), 1u);
}

// Walks 25 years from step to step, members reissued when their authority's bundle or their own age asks for it:
// whatever a member holds must be accepted by every other, at every instant in between.
TEST(LinkCertificates, RotationNeverBreaksTrustAmongMembers) {
  Authority authority = *make_authority("orders", kNow);
  struct Held {
    std::string certificate, bundle;
    WallTime issued;
  };
  std::vector<Held> members(2);
  int issuers = 1;
  std::string issuer = authority.issuer.certificate_pem;
  for (WallTime now = kNow; now < kNow + days(25 * 365); now += days(15)) {
    if (now >= *next_step_at(authority)) authority = *advance(authority, "orders", now);
    if (issuer != authority.issuer.certificate_pem) {
      ++issuers;
      issuer = authority.issuer.certificate_pem;
    }
    for (Held& member : members) {
      if (!member.certificate.empty() && member.bundle == authority.bundle_pem() &&
          now < member.issued + kCertificateRenewal)
        continue;
      pki::CertificateRequest request;
      request.common_name = "member";
      request.not_before = now;
      request.not_after = now + kCertificateLife;
      member = {pki::issue(authority.issuer, request)->certificate_pem, authority.bundle_pem(), now};
      for (const Held& other : members) {  // also while only one of them has been renewed
        if (other.certificate.empty()) continue;
        ASSERT_TRUE(pki::issued_by(member.certificate, other.bundle)) << to_rfc3339(now);
        ASSERT_TRUE(pki::issued_by(other.certificate, member.bundle)) << to_rfc3339(now);
      }
    }
    ASSERT_LE(authority.trusted.size(), 2u);
    ASSERT_GT(pki::inspect(authority.issuer.certificate_pem)->not_after, now + kCertificateLife);
  }
  EXPECT_EQ(issuers, 4);  // every eight years
}

TEST(LinkCertificates, TheOperatorsOwnIsIssuedOncePerAuthority) {
  const World world;
  WorkerAccess access;
  const Secret first = *decode_secret(*render_authority(*world.link, *make_authority("orders", kNow)));
  const kube::Key link{"shop", "orders"};
  const auto tls = access.of(link, first, kNow);
  ASSERT_TRUE(tls);
  EXPECT_EQ(pki::inspect(tls->identity->certificate_pem)->common_name, "twinspan-operator");
  EXPECT_TRUE(pki::issued_by(tls->identity->certificate_pem, first.bundle_pem));
  EXPECT_EQ(access.of(link, first, kNow + days(59)), tls);
  EXPECT_NE(access.of(link, first, kNow + days(60)), tls);
  const Secret other = *decode_secret(*render_authority(*world.link, *make_authority("orders", kNow)));
  EXPECT_TRUE(pki::issued_by(access.of(link, other, kNow)->identity->certificate_pem, other.bundle_pem));
  Secret damaged = other;
  damaged.issuer_key_pem = "garbage";
  EXPECT_FALSE(access.of({"shop", "else"}, damaged, kNow));
}

}  // namespace
}  // namespace twinspan::controllers::testing
