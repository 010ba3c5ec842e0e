#include "pki/openssl.hpp"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>

namespace twinspan::pki {
namespace {

Bio reading(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

std::string written(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : std::string();
}

// A PEM file without a passphrase never asks for one on the terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

std::unexpected<Error> openssl_failed(const std::string& what) {
  const unsigned long code = ERR_peek_last_error();
  std::string message = what;
  if (code != 0) {
    char reason[256];
    ERR_error_string_n(code, reason, sizeof reason);
    message += std::string(": ") + reason;
  }
  ERR_clear_error();
  return fail(Code::kInternal, std::move(message));
}

Result<Key> generate_key() {
  Key key(EVP_EC_gen("P-256"));
  if (!key) return openssl_failed("key generation failed");
  return key;
}

Result<std::string> key_to_pem(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return openssl_failed("key can't be written");
  return written(bio.get());
}

Result<Key> key_from_pem(const std::string& pem) {
  const Bio bio = reading(pem);
  Key key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  ERR_clear_error();
  if (!key) return fail(Code::kInvalid, "not a private key in PEM");
  return key;
}

Result<std::string> certificate_to_pem(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), certificate) != 1) return openssl_failed("certificate can't be written");
  return written(bio.get());
}

Result<std::vector<Certificate>> certificates_from_pem(const std::string& pem) {
  const Bio bio = reading(pem);
  std::vector<Certificate> out;
  while (bio) {
    Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
    if (!certificate) break;
    out.push_back(std::move(certificate));
  }
  // The end of a bundle shows as "no start line"; anything else is a certificate that can't be read.
  const unsigned long code = ERR_peek_last_error();
  const bool at_end = code == 0 || (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE);
  ERR_clear_error();
  if (out.empty() || !at_end) return fail(Code::kInvalid, "not a certificate in PEM");
  return out;
}

}  // namespace twinspan::pki
