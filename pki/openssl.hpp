// Owning handles for the OpenSSL objects this room uses, and PEM in and out. Private to pki/.
#pragma once
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace twinspan::pki {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* handle) const {
    Free(handle);
  }
};
using Bio = std::unique_ptr<BIO, Freed<&BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<&EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<&X509_free>>;
using Bignum = std::unique_ptr<BIGNUM, Freed<&BN_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<&X509_EXTENSION_free>>;
using GeneralName = std::unique_ptr<GENERAL_NAME, Freed<&GENERAL_NAME_free>>;
using GeneralNames = std::unique_ptr<GENERAL_NAMES, Freed<&GENERAL_NAMES_free>>;

// kInternal with `what` and the reason on top of OpenSSL's error queue of this thread, which is emptied.
std::unexpected<Error> openssl_failed(const std::string& what);

// A key pair on the curve P-256.
Result<Key> generate_key();
Result<std::string> key_to_pem(EVP_PKEY* key);     // PKCS #8, not encrypted
Result<Key> key_from_pem(const std::string& pem);  // kInvalid where it is none; never quotes the text
Result<std::string> certificate_to_pem(X509* certificate);
// Every certificate of a bundle, in its order. kInvalid where there is none or one can't be read.
Result<std::vector<Certificate>> certificates_from_pem(const std::string& pem);

}  // namespace twinspan::pki
