#include "pki/certificate.hpp"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "pki/openssl.hpp"

namespace twinspan::pki {
namespace {

using std::chrono::days;

const WallTime kNow = *parse_rfc3339("2026-11-21T10:00:00Z");

KeyPair ca(const std::string& name = "orders-ca") { return *make_ca(name, kNow - days(1), kNow + days(3650)); }

CertificateRequest server_request() {
  CertificateRequest request;
  request.common_name = "orders-east-0";
  request.dns_names = {"orders-east-0", "localhost"};
  request.ip_addresses = {"127.0.0.1", "fd00::1"};
  request.server = true;
  request.not_before = kNow - std::chrono::hours(1);
  request.not_after = kNow + days(90);
  return request;
}

using Store = std::unique_ptr<X509_STORE, Freed<&X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Freed<&X509_STORE_CTX_free>>;

// What a TLS peer would say: X509_V_OK or the reason of its refusal.
int verify(const std::string& certificate_pem, const std::string& ca_pem, int purpose, const char* host, WallTime at) {
  const auto leaf = certificates_from_pem(certificate_pem);
  const auto roots = certificates_from_pem(ca_pem);
  const Store store(X509_STORE_new());
  for (const Certificate& root : *roots) X509_STORE_add_cert(store.get(), root.get());
  const StoreContext context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), leaf->front().get(), nullptr);
  X509_STORE_CTX_set_purpose(context.get(), purpose);
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(param, std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count());
  if (host) X509_VERIFY_PARAM_set1_host(param, host, 0);
  return X509_verify_cert(context.get()) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context.get());
}

TEST(Certificate, ServerCertificateIsAcceptedForItsNamesWhileItIsValid) {
  const KeyPair authority = ca();
  const auto issued = issue(authority, server_request());
  ASSERT_TRUE(issued) << issued.error().message;
  const auto check = [&](const char* host, WallTime at, int purpose = X509_PURPOSE_SSL_SERVER) {
    return verify(issued->certificate_pem, authority.certificate_pem, purpose, host, at);
  };
  EXPECT_EQ(check("orders-east-0", kNow), X509_V_OK);
  EXPECT_EQ(check("localhost", kNow), X509_V_OK);
  EXPECT_EQ(check("orders-west-0", kNow), X509_V_ERR_HOSTNAME_MISMATCH);
  EXPECT_EQ(check("orders-east-0", kNow + days(91)), X509_V_ERR_CERT_HAS_EXPIRED);
  EXPECT_EQ(check("orders-east-0", kNow - std::chrono::hours(2)), X509_V_ERR_CERT_NOT_YET_VALID);
  EXPECT_EQ(check("orders-east-0", kNow, X509_PURPOSE_SSL_CLIENT), X509_V_ERR_INVALID_PURPOSE);
}

TEST(Certificate, ClientCertificateIsNoServerCertificate) {
  const KeyPair authority = ca();
  CertificateRequest request = server_request();
  request.common_name = "twinspan_replication";
  request.dns_names.clear();
  request.ip_addresses.clear();
  request.server = false;
  request.client = true;
  const auto issued = issue(authority, request);
  ASSERT_TRUE(issued);
  EXPECT_EQ(verify(issued->certificate_pem, authority.certificate_pem, X509_PURPOSE_SSL_CLIENT, nullptr, kNow),
            X509_V_OK);
  EXPECT_EQ(verify(issued->certificate_pem, authority.certificate_pem, X509_PURPOSE_SSL_SERVER, nullptr, kNow),
            X509_V_ERR_INVALID_PURPOSE);
}

TEST(Certificate, InspectSaysWhatWasAskedFor) {
  const auto issued = issue(ca(), server_request());
  ASSERT_TRUE(issued);
  const auto facts = inspect(issued->certificate_pem);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->common_name, "orders-east-0");
  EXPECT_EQ(facts->dns_names, (std::vector<std::string>{"orders-east-0", "localhost"}));
  EXPECT_EQ(facts->ip_addresses, (std::vector<std::string>{"127.0.0.1", "fd00::1"}));
  EXPECT_EQ(facts->not_before, kNow - std::chrono::hours(1));
  EXPECT_EQ(facts->not_after, kNow + days(90));
  EXPECT_EQ(facts->serial_hex.size(), 32u);
}

TEST(Certificate, SerialNumbersDiffer) {
  const KeyPair authority = ca();
  EXPECT_NE(inspect(issue(authority, server_request())->certificate_pem)->serial_hex,
            inspect(issue(authority, server_request())->certificate_pem)->serial_hex);
}

TEST(Certificate, IssuedByTellsAuthoritiesOfOneNameApart) {
  const KeyPair one = ca(), other = ca();
  const auto issued = issue(one, server_request());
  ASSERT_TRUE(issued);
  EXPECT_TRUE(issued_by(issued->certificate_pem, one.certificate_pem));
  EXPECT_FALSE(issued_by(issued->certificate_pem, other.certificate_pem));
  EXPECT_TRUE(issued_by(issued->certificate_pem, other.certificate_pem + one.certificate_pem));
  EXPECT_FALSE(issued_by(issued->certificate_pem, ""));
  EXPECT_FALSE(issued_by("", one.certificate_pem));
}

// During a rotation both authorities stand in one bundle: whatever either issued must verify, in either order.
TEST(Certificate, BundleOfOldAndNewAuthorityVerifiesBoth) {
  const KeyPair before = ca(), after = ca();
  for (const KeyPair& authority : {before, after})
    for (const std::string& bundle :
         {before.certificate_pem + after.certificate_pem, after.certificate_pem + before.certificate_pem})
      EXPECT_EQ(verify(issue(authority, server_request())->certificate_pem, bundle, X509_PURPOSE_SSL_SERVER,
                       "orders-east-0", kNow),
                X509_V_OK);
}

TEST(Certificate, AnIssuedCertificateIsNoAuthority) {
  const KeyPair authority = ca();
  const auto leaf = issue(authority, server_request());
  const auto forged = issue(*leaf, server_request());
  ASSERT_TRUE(forged);
  EXPECT_NE(verify(forged->certificate_pem, leaf->certificate_pem + authority.certificate_pem, X509_PURPOSE_SSL_SERVER,
                   "orders-east-0", kNow),
            X509_V_OK);
}

TEST(Certificate, TimesAfter2050AreKept) {
  const WallTime end = *parse_rfc3339("2061-01-02T03:04:05Z");
  EXPECT_EQ(inspect(make_ca("long", kNow, end)->certificate_pem)->not_after, end);
}

TEST(Certificate, BadRequestsAreRefusedByNameAndNothingIsIssued) {
  const KeyPair authority = ca();
  const auto refused = [&](auto change) {
    CertificateRequest request = server_request();
    change(request);
    const auto issued = issue(authority, request);
    return !issued && issued.error().code == Code::kInvalid;
  };
  EXPECT_TRUE(refused([](auto& r) { r.common_name.clear(); }));
  EXPECT_TRUE(refused([](auto& r) { r.common_name = std::string(65, 'a'); }));
  EXPECT_TRUE(refused([](auto& r) { r.not_after = r.not_before; }));
  EXPECT_TRUE(refused([](auto& r) { r.dns_names = {"a,DNS:evil"}; }));
  EXPECT_TRUE(refused([](auto& r) { r.dns_names = {""}; }));
  EXPECT_TRUE(refused([](auto& r) { r.ip_addresses = {"1.2.3"}; }));
}

TEST(Certificate, GarbageIsInvalidAndNeverQuoted) {
  const KeyPair authority = ca();
  for (const std::string& text : {std::string(), std::string("secret-words"),
                                  std::string("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
                                  authority.certificate_pem.substr(0, authority.certificate_pem.size() / 2)}) {
    const auto facts = inspect(text);
    ASSERT_FALSE(facts);
    EXPECT_EQ(facts.error().code, Code::kInvalid);
    EXPECT_EQ(facts.error().message.find("secret"), std::string::npos);
    EXPECT_FALSE(issue({authority.certificate_pem, text}, server_request()));
    EXPECT_FALSE(issue({text, authority.key_pem}, server_request()));
  }
  EXPECT_FALSE(issue({authority.certificate_pem, ca().key_pem}, server_request()));  // not its key
}

}  // namespace
}  // namespace twinspan::pki
