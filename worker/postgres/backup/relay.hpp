// Connections to a free port of the loopback, handed on to one address. pgBackRest compares the name that it calls with
// the certificate's, and can't be told an address for a name: members have no names that are resolved, and every
// member's certificate has "localhost". Who answers is proven by the link's own authority all the same.
#pragma once
#include <list>
#include <stop_token>
#include <string>

#include "core/result.hpp"
#include "core/role_thread.hpp"

namespace twinspan::worker {

class Relay {
 public:
  Relay(std::string address, int port);
  ~Relay();  // ends all of its connections
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // Waits until somebody listens there; kUnavailable after `patience`.
  Status await(std::chrono::milliseconds patience, const std::stop_token& stop) const;
  Status start();
  int port() const { return port_; }  // of the loopback

 private:
  void accept_all(const std::stop_token& stop);

  const std::string address_;
  const int target_;
  int port_ = 0, four_ = -1, six_ = -1;
  std::list<RoleThread> connections_;  // of the accepting thread, and of the destructor after that
  RoleThread thread_{"backup-relay"};
};

}  // namespace twinspan::worker
