#include "net/tls.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace twinspan::net {
namespace {

struct Free {
  void operator()(BIO* p) const { BIO_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
};
using Bio = std::unique_ptr<BIO, Free>;
using Certificate = std::unique_ptr<X509, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;

Bio reader(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

bool is_ip(const std::string& name) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, name.c_str(), bytes) == 1 || inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

// Never asks for a pass phrase on the terminal.
int no_pass_phrase(char*, int, int, void*) { return 0; }

Status use_identity(SSL_CTX* context, const TlsIdentity& identity) {
  const Bio chain = reader(identity.certificate_pem);
  const Certificate leaf(PEM_read_bio_X509(chain.get(), nullptr, no_pass_phrase, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1)
    return fail(Code::kInvalid, "TLS certificate: not a PEM certificate: " + take_ssl_error());
  while (X509* issuer = PEM_read_bio_X509(chain.get(), nullptr, no_pass_phrase, nullptr))
    if (SSL_CTX_add0_chain_cert(context, issuer) != 1) X509_free(issuer);
  ERR_clear_error();  // the end of the text is reported as an error
  const Bio key_text = reader(identity.key_pem);
  const Key key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, no_pass_phrase, nullptr));
  if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
    return fail(Code::kInvalid, "TLS key: not a PEM private key of the certificate: " + take_ssl_error());
  return {};
}

Status trust(SSL_CTX* context, const std::string& ca_pem, bool announce) {
  const Bio text = reader(ca_pem);
  int count = 0;
  while (const Certificate ca{PEM_read_bio_X509(text.get(), nullptr, no_pass_phrase, nullptr)}) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca.get());
    if (announce) SSL_CTX_add_client_CA(context, ca.get());
    ++count;
  }
  ERR_clear_error();
  if (count == 0) return fail(Code::kInvalid, "CA certificates: no PEM certificate found");
  return {};
}

Result<SslContext> new_context(const SSL_METHOD* method) {
  SslContext context(SSL_CTX_new(method), FreeSsl{});
  if (!context) return fail(Code::kInternal, "TLS: " + take_ssl_error());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  // Idle connections give their record buffers back (34 KB each).
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // A peer that just closes the socket is seen as end of stream; HTTP's own framing tells whether the answer was whole.
  SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  return context;
}

}  // namespace

Result<SslContext> client_context(const ClientTls& tls, const std::string& name) {
  auto context = new_context(TLS_client_method());
  if (!context) return context;
  SSL_CTX* ctx = context->get();
  if (tls.identity)
    if (auto done = use_identity(ctx, *tls.identity); !done) return std::unexpected(done.error());
  if (!tls.verify) {
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, nullptr);
    return context;
  }
  if (tls.ca_pem.empty()) {
    SSL_CTX_set_default_verify_paths(ctx);
  } else if (auto done = trust(ctx, tls.ca_pem, false); !done) {
    return std::unexpected(done.error());
  }
  X509_VERIFY_PARAM* expected = SSL_CTX_get0_param(ctx);
  if (is_ip(name)) {
    X509_VERIFY_PARAM_set1_ip_asc(expected, name.c_str());
  } else {
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    X509_VERIFY_PARAM_set1_host(expected, name.c_str(), name.size());
  }
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  return context;
}

Result<SslContext> server_context(const TlsIdentity& identity, const std::string& client_ca_pem,
                                  bool require_client_certificate) {
  auto context = new_context(TLS_server_method());
  if (!context) return context;
  SSL_CTX* ctx = context->get();
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_num_tickets(ctx, 0);
  if (auto done = use_identity(ctx, identity); !done) return std::unexpected(done.error());
  if (!client_ca_pem.empty()) {
    if (auto done = trust(ctx, client_ca_pem, true); !done) return std::unexpected(done.error());
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (require_client_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       nullptr);
  } else if (require_client_certificate) {
    return fail(Code::kInvalid, "client certificates are required but no CA to verify them is given");
  }
  return context;
}

void read_much(SSL_CTX* context) {
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, 32 * 1024);
  SSL_CTX_clear_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

SslSession client_session(SSL_CTX* context, const std::string& name) {
  SslSession session(SSL_new(context));
  if (session && !is_ip(name)) SSL_set_tlsext_host_name(session.get(), name.c_str());
  return session;
}

std::string peer_common_name(const SSL* session) {
  X509* certificate = SSL_get0_peer_certificate(session);
  if (!certificate || SSL_get_verify_result(session) != X509_V_OK) return {};
  X509_NAME* subject = X509_get_subject_name(certificate);
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return {};
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
  if (size < 0) return {};
  std::string name(reinterpret_cast<char*>(text), static_cast<size_t>(size));
  OPENSSL_free(text);
  return name;
}

std::string take_ssl_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(code);
  return reason ? reason : fmt::format("error {:#x}", code);
}

}  // namespace twinspan::net
