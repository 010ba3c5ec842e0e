// OpenSSL contexts for both sides, from PEM text. Private to this room.
#pragma once
#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "core/result.hpp"
#include "net/http.hpp"

namespace twinspan::net {

struct FreeSsl {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const { SSL_free(session); }
};
using SslContext = std::shared_ptr<SSL_CTX>;
using SslSession = std::unique_ptr<SSL, FreeSsl>;

// The peer's certificate must chain to `tls.ca_pem` and carry `name` (a DNS name or an IP address): OpenSSL itself
// checks both during the handshake. kInvalid where the PEM text can't be read.
Result<SslContext> client_context(const ClientTls& tls, const std::string& name);
Result<SslContext> server_context(const TlsIdentity& identity, const std::string& client_ca_pem,
                                  bool require_client_certificate);

// Sessions of this context keep their buffers and take in up to 32 KiB with one call of the kernel, not one record with
// two of them.
void read_much(SSL_CTX* context);

// A session to a server called `name`; SNI is sent for DNS names only (RFC 6066, section 3).
SslSession client_session(SSL_CTX* context, const std::string& name);

std::string peer_common_name(const SSL* session);  // of the verified certificate; empty: none
std::string take_ssl_error();                      // text of this thread's first queued error; the queue is emptied

}  // namespace twinspan::net
