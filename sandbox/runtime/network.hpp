// Loopback addresses for pods and Services that no other sandbox of this machine uses.
#pragma once
#include <memory>
#include <string>

#include "core/result.hpp"

namespace twinspan::sandbox {

// A number 1 to 250 that is this process's alone while the object lives: pods get 127.20.N.x, Services 127.96.N.x
// (ApiOptions::service_network).
class NetworkLane {
 public:
  static Result<NetworkLane> claim();
  NetworkLane(NetworkLane&&) noexcept;
  NetworkLane& operator=(NetworkLane&&) noexcept;
  ~NetworkLane();
  std::string pod_network() const;        // "127.20.N."
  int number() const { return number_; }  // Services: 127.96.N.x

 private:
  NetworkLane(int number, int socket) : number_(number), socket_(socket) {}
  int number_ = 0;
  int socket_ = -1;  // bound to 127.20.N.255: the claim
};

}  // namespace twinspan::sandbox
