#include "pki/certificate.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "pki/openssl.hpp"

namespace twinspan::pki {
namespace {

// RFC 5280 4.1.2.2: positive, at most 20 octets, not to be guessed.
Status set_random_serial(X509* certificate) {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return openssl_failed("no randomness");
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);
  const Bignum number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  if (!number || !BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)))
    return openssl_failed("serial number can't be set");
  return {};
}

bool set_time(ASN1_TIME* field, WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  return ASN1_TIME_set(field, static_cast<time_t>(seconds)) != nullptr;
}

bool add_name(X509_NAME* name, const char* field, const std::string& value) {
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                                    static_cast<int>(value.size()), -1, 0) == 1;
}

bool add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// A name of RFC 1123, or "*." before one. Refused here, because a verifier would silently never match it.
bool is_dns_name(const std::string& name) {
  if (name.empty() || name.size() > 253 || name.front() == '.' || name.front() == '-' || name.back() == '-')
    return false;
  const std::string rest = name.starts_with("*.") ? name.substr(2) : name;
  return !rest.empty() && std::all_of(rest.begin(), rest.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '.' || c == '_';
  });
}

Result<GeneralName> alternative_name(int type, const std::string& value) {
  GeneralName name(GENERAL_NAME_new());
  ASN1_STRING* text = nullptr;
  if (type == GEN_IPADD) {
    text = a2i_IPADDRESS(value.c_str());
    if (!text) return fail(Code::kInvalid, "\"" + value + "\" is no IP address");
  } else {
    if (!is_dns_name(value)) return fail(Code::kInvalid, "\"" + value + "\" is no DNS name");
    text = ASN1_IA5STRING_new();
    if (!text || ASN1_STRING_set(text, value.data(), static_cast<int>(value.size())) != 1)
      return openssl_failed("name can't be set");
  }
  GENERAL_NAME_set0_value(name.get(), type, text);
  return name;
}

Status add_alternative_names(X509* certificate, const CertificateRequest& request) {
  if (request.dns_names.empty() && request.ip_addresses.empty()) return {};
  const GeneralNames names(sk_GENERAL_NAME_new_null());
  const auto add = [&](int type, const std::string& value) -> Status {
    auto name = alternative_name(type, value);
    if (!name) return std::unexpected(name.error());
    if (sk_GENERAL_NAME_push(names.get(), name->get()) == 0) return openssl_failed("name can't be added");
    name->release();
    return {};
  };
  for (const std::string& dns : request.dns_names)
    if (auto added = add(GEN_DNS, dns); !added) return added;
  for (const std::string& ip : request.ip_addresses)
    if (auto added = add(GEN_IPADD, ip); !added) return added;
  if (X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) != 1)
    return openssl_failed("alternative names can't be added");
  return {};
}

// What a CA certificate and an issued one have in common: version 3, serial, subject, times, key.
Status fill(X509* certificate, EVP_PKEY* key, const CertificateRequest& request) {
  if (request.common_name.empty() || request.common_name.size() > 64)
    return fail(Code::kInvalid, "common name \"" + request.common_name + "\": expected 1 to 64 characters");
  if (request.not_after <= request.not_before) return fail(Code::kInvalid, "not_after lies before not_before");
  if (X509_set_version(certificate, X509_VERSION_3) != 1) return openssl_failed("version can't be set");
  if (auto set = set_random_serial(certificate); !set) return set;
  X509_NAME* subject = X509_get_subject_name(certificate);
  if (!add_name(subject, "CN", request.common_name) ||
      (!request.organization.empty() && !add_name(subject, "O", request.organization)))
    return openssl_failed("subject can't be set");
  if (!set_time(X509_getm_notBefore(certificate), request.not_before) ||
      !set_time(X509_getm_notAfter(certificate), request.not_after))
    return openssl_failed("validity can't be set");
  if (X509_set_pubkey(certificate, key) != 1) return openssl_failed("public key can't be set");
  return {};
}

Result<KeyPair> sign(X509* certificate, EVP_PKEY* own_key, EVP_PKEY* signing_key) {
  if (X509_sign(certificate, signing_key, EVP_sha256()) == 0) return openssl_failed("certificate can't be signed");
  auto certificate_pem = certificate_to_pem(certificate);
  if (!certificate_pem) return std::unexpected(certificate_pem.error());
  auto key_pem = key_to_pem(own_key);
  if (!key_pem) return std::unexpected(key_pem.error());
  return KeyPair{std::move(*certificate_pem), std::move(*key_pem)};
}

WallTime wall_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return WallTime(std::chrono::seconds(timegm(&parts)));
}

std::string common_name_of(X509* certificate) {
  X509_NAME* name = X509_get_subject_name(certificate);
  const int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (index < 0) return {};
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
  if (size < 0) return {};
  std::string out(reinterpret_cast<char*>(text), static_cast<size_t>(size));
  OPENSSL_free(text);
  return out;
}

std::string ip_text(const ASN1_OCTET_STRING* bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  const int family = ASN1_STRING_length(bytes) == 4 ? AF_INET : AF_INET6;
  inet_ntop(family, ASN1_STRING_get0_data(bytes), text, sizeof text);
  return text;
}

std::string serial_hex_of(X509* certificate) {
  const Bignum number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  char* text = number ? BN_bn2hex(number.get()) : nullptr;
  std::string out = text ? text : "";
  OPENSSL_free(text);
  return out;
}

}  // namespace

Result<KeyPair> make_ca(const std::string& common_name, WallTime not_before, WallTime not_after) {
  auto key = generate_key();
  if (!key) return std::unexpected(key.error());
  const Certificate certificate(X509_new());
  const CertificateRequest request{common_name, "", {}, {}, false, false, not_before, not_after};
  if (auto filled = fill(certificate.get(), key->get(), request); !filled) return std::unexpected(filled.error());
  X509* self = certificate.get();
  if (X509_set_issuer_name(self, X509_get_subject_name(self)) != 1 ||
      !add_extension(self, self, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(self, self, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(self, self, NID_subject_key_identifier, "hash"))
    return openssl_failed("CA certificate can't be made");
  return sign(self, key->get(), key->get());
}

Result<KeyPair> issue(const KeyPair& ca, const CertificateRequest& request) {
  auto issuers = certificates_from_pem(ca.certificate_pem);
  if (!issuers) return std::unexpected(issuers.error());
  auto ca_key = key_from_pem(ca.key_pem);
  if (!ca_key) return std::unexpected(ca_key.error());
  X509* issuer = issuers->front().get();
  if (X509_check_private_key(issuer, ca_key->get()) != 1) {
    ERR_clear_error();
    return fail(Code::kInvalid, "the CA's key does not belong to its certificate");
  }
  auto key = generate_key();
  if (!key) return std::unexpected(key.error());
  const Certificate certificate(X509_new());
  if (auto filled = fill(certificate.get(), key->get(), request); !filled) return std::unexpected(filled.error());
  X509* subject = certificate.get();
  std::string usages = request.server ? "serverAuth" : "";
  if (request.client) usages += usages.empty() ? "clientAuth" : ",clientAuth";
  if (X509_set_issuer_name(subject, X509_get_subject_name(issuer)) != 1 ||
      !add_extension(subject, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(subject, issuer, NID_key_usage, "critical,digitalSignature") ||
      (!usages.empty() && !add_extension(subject, issuer, NID_ext_key_usage, usages.c_str())) ||
      !add_extension(subject, issuer, NID_subject_key_identifier, "hash") ||
      !add_extension(subject, issuer, NID_authority_key_identifier, "keyid:always"))
    return openssl_failed("certificate can't be made");
  if (auto added = add_alternative_names(subject, request); !added) return std::unexpected(added.error());
  return sign(subject, key->get(), ca_key->get());
}

Result<CertificateFacts> inspect(const std::string& certificate_pem) {
  const auto certificates = certificates_from_pem(certificate_pem);
  if (!certificates) return std::unexpected(certificates.error());
  X509* certificate = certificates->front().get();
  CertificateFacts facts;
  facts.common_name = common_name_of(certificate);
  facts.not_before = wall_time(X509_get0_notBefore(certificate));
  facts.not_after = wall_time(X509_get0_notAfter(certificate));
  facts.serial_hex = serial_hex_of(certificate);
  const GeneralNames names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS)
      facts.dns_names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                                   static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
    else if (name->type == GEN_IPADD)
      facts.ip_addresses.push_back(ip_text(name->d.iPAddress));
  }
  return facts;
}

bool issued_by(const std::string& certificate_pem, const std::string& ca_pem) {
  const auto certificates = certificates_from_pem(certificate_pem);
  const auto authorities = certificates_from_pem(ca_pem);
  if (!certificates || !authorities) return false;
  X509* certificate = certificates->front().get();
  const bool found = std::any_of(authorities->begin(), authorities->end(), [&](const Certificate& authority) {
    EVP_PKEY* key = X509_get0_pubkey(authority.get());
    return key && X509_check_issued(authority.get(), certificate) == X509_V_OK && X509_verify(certificate, key) == 1;
  });
  ERR_clear_error();
  return found;
}

}  // namespace twinspan::pki
