// The agent's two HTTP servers: /status over mutual TLS for the operator alone; /healthz, /readyz, /metrics plain.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/guarded.hpp"
#include "failover/report.hpp"
#include "net/http.hpp"

namespace twinspan::worker {

// The newest report. Any thread.
class ReportBoard {
 public:
  struct Published {
    MemberReport report;
    bool ready = false;
  };
  void publish(MemberReport report, bool ready) {
    auto fresh = std::make_shared<const Published>(Published{std::move(report), ready});
    MutexLock lock(mutex_);
    latest_ = std::move(fresh);
  }
  std::shared_ptr<const Published> latest() const {  // nullptr before the first
    MutexLock lock(mutex_);
    return latest_;
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const Published> latest_ GUARDED_BY(mutex_);
};

struct ServersConfig {
  std::string address;
  int status_port = 8443, health_port = 8080;
  std::string certificate_file, key_file, ca_file;  // of /status
};

class Servers {
 public:
  // `metrics`: what /metrics says. `alive` answers whether the main loop still turns.
  Servers(ServersConfig config, const ReportBoard& board, std::function<std::string()> metrics,
          std::function<bool()> alive);
  Status start();
  void stop();
  void refresh_identity();  // new connections show the certificate that lies in its file now

 private:
  Status start_status();
  net::OutgoingResponse status(const net::IncomingRequest& request) const;
  net::OutgoingResponse health(const net::IncomingRequest& request) const;

  const ServersConfig config_;
  const ReportBoard& board_;
  const std::function<std::string()> metrics_;
  const std::function<bool()> alive_;
  std::string ca_pem_, certificate_pem_;
  std::unique_ptr<net::Server> health_, status_;
};

}  // namespace twinspan::worker
