// A TCP or TLS connection for protocols that are not HTTP. Opening it waits, within bounds; from then on nothing does.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "net/http.hpp"

namespace twinspan::net {

// Used by one thread at a time. Closed when it goes.
class Stream {
 public:
  // Name resolution is the C library's, and not bound by `patience`. Without `tls`: plain.
  static Result<Stream> open(const std::string& host, int port, const std::optional<ClientTls>& tls,
                             std::chrono::milliseconds patience, const std::stop_token& stop);
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  ~Stream();

  int fd() const;                                       // for poll(2)
  short awaits() const;                                 // what the last read or write that could not go on waits for
  Result<size_t> read(char* data, size_t size);         // 0: nothing is there now. kUnavailable: closed or broken
  Result<size_t> write(const char* data, size_t size);  // how much was taken; 0: nothing can be now

 private:
  struct Impl;
  explicit Stream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::net
