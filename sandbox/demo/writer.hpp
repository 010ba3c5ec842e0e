// A client that writes sequence numbers through a Service as fast as they are acknowledged and remembers every
// acknowledged one. What is measured with it is what a user's client would see.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace twinspan::sandbox {

struct WriterTarget {
  std::string host;
  int port = 5432;
  std::string database, user, password;
  std::string ssl_mode = "require";
  std::string table = "demo_writes";  // created where it is missing
  std::chrono::milliseconds connect_timeout{1000};
  std::chrono::milliseconds write_timeout{
      3000};  // a write without an answer for this long is given up, its outcome unknown
  std::chrono::milliseconds retry{5};
};

struct WriterFigures {
  uint64_t acknowledged = 0;
  uint64_t failed = 0;    // attempts that ended without an acknowledgement: their outcome is unknown
  uint64_t sessions = 0;  // connections on which at least one write was acknowledged
  BootTime last_acknowledged_at;
  BootTime session_first_at;                // first acknowledgement of the newest session
  std::chrono::nanoseconds longest_gap{0};  // between two acknowledgements, since the last reset_gap()
  std::string last_error;
};

class Writer {
 public:
  Writer(WriterTarget target, const Clock& clock);
  ~Writer();  // stops
  void start();
  void stop();  // acknowledged() is complete afterwards
  WriterFigures figures() const;
  void reset_gap();
  // Numbers acknowledged so far. A number is never written twice, whatever became of it.
  std::vector<int64_t> acknowledged() const;
  // Waits until a write was acknowledged on a session newer than `session`; the figures of that moment.
  Result<WriterFigures> wait_for_session_after(uint64_t session, std::chrono::milliseconds patience,
                                               std::stop_token stop = {});
  Result<WriterFigures> wait_for_acknowledged(uint64_t count, std::chrono::milliseconds patience,
                                              std::stop_token stop = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Acknowledged numbers that `target` does not have. Read in one query of a connection of its own.
Result<std::vector<int64_t>> missing_writes(const WriterTarget& target, const std::vector<int64_t>& acknowledged);
// One value of one row, as text.
Result<std::string> query_value(const WriterTarget& target, const std::string& sql);

}  // namespace twinspan::sandbox
