// TLS sessions taken up again: a later connection to the same server skips the certificates and the signatures
// (RFC 8446, 2.2). Private to this room.
#pragma once
#include <chrono>
#include <memory>

#include "core/guarded.hpp"
#include "net/tls.hpp"

namespace twinspan::net {

// The last ticket of one client's server. A resumed session stands on the certificate that was verified for an earlier
// one: tickets are forgotten after an hour, so that a certificate which is no longer valid isn't trusted for long.
// Any thread.
class Resumption {
 public:
  void attach(SSL_CTX* context);  // before sessions are made of it; must outlive them
  void offer(SSL* session);       // before its handshake
  void forget();                  // after a handshake that failed

 private:
  struct Free {
    void operator()(SSL_SESSION* ticket) const { SSL_SESSION_free(ticket); }
  };
  static int keep(SSL* session, SSL_SESSION* ticket);

  Mutex mutex_;
  std::unique_ptr<SSL_SESSION, Free> ticket_ GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point verified_at_ GUARDED_BY(mutex_){};  // when the certificate was looked at
};

}  // namespace twinspan::net
