// /metrics over TLS alone, for whoever shows a bearer token that the API server knows and whose user may `get` the path
// /metrics by its rules.
#pragma once
#include <functional>
#include <string>

#include "core/guarded.hpp"
#include "kube/client.hpp"
#include "kube/token_access.hpp"
#include "operator/options.hpp"
#include "webhooks/certified_server.hpp"

namespace twinspan {

// The token of "Authorization: Bearer TOKEN"; empty where the request has none.
std::string bearer_token(const net::IncomingRequest& request);

// What a request for /metrics is answered: `answer` where `access` is kAllowed, 401, 403 and else 503. Pure.
net::OutgoingResponse answer_by(const Result<kube::Access>& access,
                                const std::function<net::OutgoingResponse()>& answer);

class SecureMetrics {
 public:
  using Answer = std::function<net::OutgoingResponse(const net::IncomingRequest& request)>;  // of metrics_answer()

  SecureMetrics(const Options& options, kube::Client& client, const Clock& clock, Answer answer);
  void start() { server_.start(); }
  void stop() { server_.stop(); }
  int port() const { return server_.port(); }  // 0 until it has a certificate and listens

 private:
  net::OutgoingResponse serve(const net::IncomingRequest& request, const std::stop_token& stop);
  void note(const std::string& trouble);

  const Answer answer_;
  kube::Client reviews_;  // of its own: a scraper waits for ten seconds, not for as long as a reconciler would
  kube::TokenAccess access_;
  Mutex mutex_;
  std::string noted_ GUARDED_BY(mutex_);  // why nobody could be let in, as last logged
  webhooks::CertifiedServer server_;
};

}  // namespace twinspan
